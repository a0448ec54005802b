"""Supernet of the GAS-style space."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.atrous_pyramid import AtrousPyramid
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.layer_stack import scan_layers, scans
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS, CellGraph
from keras_fasterseg.spaces.cells.level_alignment import LevelAlignment
from keras_fasterseg.spaces.cells.mixed_operations import (
    Kind,
    MixedOperations,
    MixedOperationsRun,
)
from keras_fasterseg.spaces.cells.stem_and_heads import stem_layers
from keras_fasterseg.spaces.gas.choices import Choices
from keras_fasterseg.spaces.gas.plan import CellPlan, cell_plans, equal_cells, fused_cells
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings


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
        self.stem = stem_layers(CELL.nodes * settings.initial_filters, dtype)
        self.mixed = MixedOperations(self._kinds(), dtype)
        self.stacks = self.mixed.stacks
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

    def _kinds(self) -> dict[str, Kind]:
        """Shape of every mixed operation, by the name of a network's layer."""
        kinds = {}
        for plan in self.plans:
            for place, source in zip(_inputs(plan.name), plan.inputs, strict=True):
                kinds[place] = Kind(
                    source.channels, plan.filters, source.strides, (source.operation,)
                )
            for edge, place in enumerate(_edges(plan.name)):
                strides = plan.edge_strides(edge)
                kinds[place] = Kind(plan.filters, plan.filters, strides, CELL_OPERATIONS)
        if self.is_dense:
            filters = self.settings.decoder_filters
            kind = Kind(filters, filters, 1, FUSION_OPERATIONS)
            kinds |= dict.fromkeys(_edges("fusion", FUSION), kind)
        return kinds

    def build(self, images_shape=(None, None, None, 3)):
        channels = 3
        for layer in self.stem:
            layer.build((None, None, None, channels))
            channels = layer.filters
        self.mixed.build()
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
        run = self.mixed.start(training, frozen)
        rows = ops.unstack(choices["cells"])
        state, outputs = (features, features), {}
        for equal in equal_cells(self.plans):
            state = _run_cells(run, equal, state, rows[equal[0].index : equal[-1].index + 1])
            outputs[equal[-1].index] = state[-1]
        if self.is_dense:
            inputs = [
                layer(outputs[level.index], training=training)
                for layer, level in zip(self.alignments, self.levels, strict=True)
            ]
            joined = run.graph(FUSION, _edges("fusion", FUSION), inputs, choices["fusion"])
        else:
            joined = self.pyramid(state[-1], training=training)
        run.finish()
        return self.classifier(joined, training=training)


def _run_cells(
    run: MixedOperationsRun, equal: Sequence[CellPlan], state: tuple[Any, Any], rows: Sequence[Any]
) -> tuple[Any, Any]:
    """Runs consecutive cells of equal shape on the outputs of the two cells before them."""

    def run_cell(state, row, plan=None):
        name, is_next = (plan or equal[0]).name, plan is None
        inputs = [
            run(place, features, is_next=is_next)
            for place, features in zip(_inputs(name), state, strict=True)
        ]
        return state[-1], run.graph(CELL, _edges(name), inputs, row, is_next)

    if scans(equal):
        name = equal[0].name
        return scan_layers(run_cell, state, rows, run.layers([*_inputs(name), *_edges(name)]))
    for plan, row in zip(equal, rows, strict=True):
        state = run_cell(state, row, plan)
    return state


def _inputs(name: str) -> list[str]:
    """Names of the preprocessing of a cell."""
    return [f"{name}_input_{number}" for number in range(CELL.inputs)]


def _edges(name: str, graph: CellGraph = CELL) -> list[str]:
    """Names of the operations on the edges of a cell."""
    return [f"{name}_edge_{edge}" for edge in range(len(graph.edges))]
