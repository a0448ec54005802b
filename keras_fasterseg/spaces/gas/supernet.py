"""Supernet of the GAS-style space."""

import collections
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.atrous_pyramid import AtrousPyramid
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.layer_stack import LayerStack, StackRun, scan_layers, scans
from keras_fasterseg.layers.mixed_cell_op import MixedCellOp
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS, CellGraph
from keras_fasterseg.spaces.cells.keys import STEM_STRIDES
from keras_fasterseg.spaces.cells.level_alignment import LevelAlignment
from keras_fasterseg.spaces.gas.choices import Choices
from keras_fasterseg.spaces.gas.plan import CellPlan, cell_plans, equal_cells, fused_cells
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings

Kind = tuple[int, int, int, tuple[str, ...]]
"""Channels, filters, stride and operations of a mixed operation."""


class GasSupernet(keras.Model):
    """Stem, cells of mixed operations, then pyramid pooling or a fusion cell, and a classifier.

    Mixed operations of one shape are a `LayerStack`, traced once however many cells there are. A
    preprocessing is a mixed operation with a single choice.

    Args:
        settings: Settings of the space.
        num_classes: Number of classes.

    Call arguments:
        images: `(batch, height, width, 3)`, normalised; sides are multiples of 32.
        choices: `Choices`.
        training: Whether batch statistics are used.
        frozen: True if no gradient to the weights of the cells is needed.

    Output shape:
        Logits `(batch, height / s, width / s, num_classes)`, float32; s is the scale of the last
        cell, or 8 with a fusion cell.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793).
    """

    def __init__(self, settings: GasSettings, num_classes: int, **kwargs: Any):
        # Layers cast their inputs themselves; half precision would round shares.
        super().__init__(autocast=False, **kwargs)
        self.settings = settings
        self.num_classes = num_classes
        self.plans = cell_plans(settings.cells, settings.initial_filters, settings.reductions)
        self.levels = fused_cells(self.plans)
        self.is_dense = settings.fusion == DENSE
        self.scale = self.levels[1].scale if self.is_dense else self.plans[-1].scale
        dtype, filters = self.dtype_policy, settings.decoder_filters
        self.stem = [
            ConvBatchNorm(
                CELL.nodes * settings.initial_filters, 3, strides, dtype=dtype, name=f"stem_{index}"
            )
            for index, strides in enumerate(STEM_STRIDES)
        ]
        self.places = self._places()
        counts = collections.Counter(kind for kind, _ in self.places.values())
        self.stacks = {
            kind: self._stack(number, kind, count)
            for number, (kind, count) in enumerate(counts.items())
        }
        if self.is_dense:
            self.alignments = [
                LevelAlignment(
                    filters, level.scale / self.scale, dtype=dtype, name=f"fusion_input_{number}"
                )
                for number, level in enumerate(self.levels)
            ]
        else:
            self.pyramid = AtrousPyramid(filters, dtype=dtype, name="pyramid")
        self.classifier = Head(num_classes, hidden=False, dtype=dtype, name="classifier")

    def _places(self) -> dict[str, tuple[Kind, int]]:
        """Stack and index of every mixed operation, by the name of a network's layer."""
        kinds: dict[str, Kind] = {}
        for plan in self.plans:
            for number, source in enumerate(plan.inputs):
                kind = (source.channels, plan.filters, source.strides, (source.operation,))
                kinds[f"{plan.name}_input_{number}"] = kind
            for edge in range(len(CELL.edges)):
                kind = (plan.filters, plan.filters, plan.edge_strides(edge), CELL_OPERATIONS)
                kinds[f"{plan.name}_edge_{edge}"] = kind
        if self.is_dense:
            filters = self.settings.decoder_filters
            for edge in range(len(FUSION.edges)):
                kinds[f"fusion_edge_{edge}"] = (filters, filters, 1, FUSION_OPERATIONS)
        counts: collections.Counter[Kind] = collections.Counter()
        places = {}
        for name, kind in kinds.items():
            places[name] = kind, counts[kind]
            counts[kind] += 1
        return places

    def _stack(self, number: int, kind: Kind, count: int) -> LayerStack:
        _, filters, strides, operations = kind
        dtype = self.dtype_policy

        def make_layer():
            return MixedCellOp(filters, strides, operations, dtype=dtype)

        return LayerStack(make_layer, count, dtype=dtype, name=f"mixed_{number}")

    def build(self, images_shape=(None, None, None, 3)):
        channels = 3
        for layer in self.stem:
            layer.build((None, None, None, channels))
            channels = layer.filters
        for (channels, *_), stack in self.stacks.items():
            stack.build((None, None, None, channels))
        filters = self.settings.decoder_filters
        if self.is_dense:
            for layer, level in zip(self.alignments, self.levels, strict=True):
                layer.build((None, None, None, CELL.nodes * level.filters))
            filters *= FUSION.nodes
        else:
            self.pyramid.build((None, None, None, CELL.nodes * self.plans[-1].filters))
        self.classifier.build((None, None, None, filters))
        self.built = True

    def call(self, images: Any, choices: Choices, training: bool = False, frozen: bool = False):
        features = images
        for layer in self.stem:
            features = layer(features, training=training)
        runs = {kind: stack.start(training, frozen) for kind, stack in self.stacks.items()}
        rows = ops.unstack(choices["cells"])
        state, outputs = (features, features), {}
        for equal in equal_cells(self.plans):
            state = self._run_cells(runs, equal, state, rows[equal[0].index : equal[-1].index + 1])
            outputs[equal[-1].index] = state[-1]
        if self.is_dense:
            inputs = [
                layer(outputs[level.index], training=training)
                for layer, level in zip(self.alignments, self.levels, strict=True)
            ]
            joined = self._run_graph(runs, FUSION, "fusion", inputs, choices["fusion"])
        else:
            joined = self.pyramid(state[-1], training=training)
        for run in runs.values():
            run.finish()
        return self.classifier(joined, training=training)

    def _run_cells(
        self,
        runs: dict[Kind, StackRun],
        equal: Sequence[CellPlan],
        state: tuple[Any, Any],
        rows: Sequence[Any],
    ) -> tuple[Any, Any]:
        """Runs consecutive cells of equal shape on the outputs of the two cells before them."""

        def run_cell(state, row, plan=None):
            name = (plan or equal[0]).name
            inputs = [
                self._mixed(runs, f"{name}_input_{number}", features, is_next=plan is None)
                for number, features in enumerate(state)
            ]
            output = self._run_graph(runs, CELL, name, inputs, row, is_next=plan is None)
            return state[-1], output

        if scans(equal):
            return scan_layers(run_cell, state, rows, self._cell_layers(runs, equal[0]))
        for plan, row in zip(equal, rows, strict=True):
            state = run_cell(state, row, plan)
        return state

    def _cell_layers(
        self, runs: dict[Kind, StackRun], plan: CellPlan
    ) -> list[tuple[StackRun, int, int]]:
        """For `scan_layers`: the layers of a cell."""
        indexes: dict[Kind, list[int]] = {}
        for name, (kind, index) in self.places.items():
            if name.startswith(f"{plan.name}_"):
                indexes.setdefault(kind, []).append(index)
        return [(runs[kind], each[0], len(each)) for kind, each in indexes.items()]

    def _run_graph(
        self,
        runs: dict[Kind, StackRun],
        graph: CellGraph,
        name: str,
        inputs: Sequence[Any],
        rows: Any,
        is_next: bool = False,
    ) -> Any:
        rows = ops.unstack(rows)

        def apply(edge, state):
            return self._mixed(runs, f"{name}_edge_{edge}", state, rows[edge], is_next)

        every = ("mixed",) * len(graph.edges)
        return ops.concatenate(graph.run(every, inputs, apply), axis=-1)

    def _mixed(
        self,
        runs: dict[Kind, StackRun],
        name: str,
        inputs: Any,
        weights: Any = None,
        is_next: bool = False,
    ) -> Any:
        """Runs a mixed operation; `is_next` in a step of `scan_layers`."""
        kind, index = self.places[name]
        weights = ops.ones((1,)) if weights is None else weights
        return runs[kind](None if is_next else index, inputs, weights, None)
