"""Supernet of the AutoRTNet-style space."""

from collections.abc import Hashable
from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.layers.head import Head
from keras_fasterseg.spaces.autortnet.cell_shape import (
    HYPER,
    PREPROCESSING,
    shapes_at,
)
from keras_fasterseg.spaces.autortnet.choices import Choices
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.stages import AGGREGATION_SCALE, level_channels
from keras_fasterseg.spaces.autortnet.trellis import (
    SCALES,
    SKIP,
    arrivals,
    levels,
    trellis,
)
from keras_fasterseg.spaces.cells.cell_graph import FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.level_alignment import LevelAlignment
from keras_fasterseg.spaces.cells.mixed_operations import (
    Kind,
    MixedOperations,
    MixedOperationsRun,
)
from keras_fasterseg.spaces.cells.stem_and_heads import stem_layers

_TINY = 1e-9

INPUT = "input"
"""Last part of the place of a preprocessing."""

_AGGREGATION = [("aggregation", edge) for edge in range(len(FUSION.edges))]


class AutoRTNetSupernet(keras.Model):
    """Stem, a trellis of hyper-cells, the aggregation cell and a classifier.

    A feature of the trellis is the mean of what arrives there, weighted by mass. Where no mass
    arrives, all have the same weight. Such a feature changes no prediction; the gradient of the
    gates needs it. Mixed operations of one shape are a `LayerStack`.

    Args:
        settings: Settings of the space.
        num_classes: Number of classes.

    Call arguments:
        images: `(batch, height, width, 3)`, normalised; sides are multiples of 32.
        choices: `Choices`.
        training: Whether batch statistics are used.
        frozen: True if no gradient to the weights of the cells is needed.

    Output shape:
        Logits `(batch, height / 8, width / 8, num_classes)`, float32.

    Reference:
        AutoRTNet (Sun et al., IJCV 2021, https://arxiv.org/abs/2003.14226); the trellis is our
        choice.
    """

    def __init__(self, settings: AutoRTNetSettings, num_classes: int, **kwargs: Any):
        # Layers cast their inputs themselves; half precision would round shares.
        super().__init__(autocast=False, **kwargs)
        self.settings = settings
        self.num_classes = num_classes
        self.scale = AGGREGATION_SCALE
        dtype, filters = self.dtype_policy, settings.decoder_filters
        self.stem = stem_layers(level_channels(0, settings.initial_filters), dtype)
        self.mixed = MixedOperations(self._kinds(), dtype)
        self.stacks = self.mixed.stacks
        self.alignments = [
            LevelAlignment(
                filters if level else FUSION.nodes * filters,
                scale / AGGREGATION_SCALE,
                dtype=dtype,
                name=f"aggregation_input_{level}",
            )
            for level, scale in enumerate(SCALES)
        ]
        self.classifier = Head(num_classes, hidden=False, dtype=dtype, name="classifier")

    def _kinds(self) -> dict[Hashable, Kind]:
        """Shape of every mixed operation: of hyper-cells by index, level and state."""
        kinds: dict[Hashable, Kind] = {}
        for index in range(self.settings.cells):
            for level in levels(index):
                for state, shape in shapes_at(level, self.settings.initial_filters).items():
                    cell = index, level, state
                    kinds[*cell, INPUT] = Kind(shape.channels, shape.filters, 1, (PREPROCESSING,))
                    for edge in range(len(HYPER.edges)):
                        strides = shape.edge_strides(edge)
                        kinds[*cell, edge] = Kind(
                            shape.filters, shape.filters, strides, CELL_OPERATIONS
                        )
        filters = self.settings.decoder_filters
        kind = Kind(filters, filters, 1, FUSION_OPERATIONS)
        return kinds | dict.fromkeys(_AGGREGATION, kind)

    def build(self, images_shape=(None, None, None, 3)):
        channels = 3
        for layer in self.stem:
            layer.build((None, None, None, channels))
            channels = layer.filters
        self.mixed.build()
        for level, layer in enumerate(self.alignments):
            layer.build((None, None, None, level_channels(level, self.settings.initial_filters)))
        filters = FUSION.nodes * self.settings.decoder_filters
        self.classifier.build((None, None, None, filters))
        self.built = True

    def call(self, images: Any, choices: Choices, training: bool = False, frozen: bool = False):
        features = images
        for layer in self.stem:
            features = layer(features, training=training)
        run = self.mixed.start(training, frozen)
        last, final = self._run_trellis(run, features, choices)
        joined = self._aggregate(run, last, final, choices["aggregation"], training)
        run.finish()
        return self.classifier(joined, training=training)

    def _run_trellis(
        self, run: MixedOperationsRun, stem: Any, choices: Choices
    ) -> tuple[list[Any], list[Any]]:
        """The last feature of every level, and the masses at the end."""
        gates, masses = trellis(choices["gates"], choices["coarsest"])
        rows = ops.unstack(choices["cells"])
        states, last = [stem], [stem]
        for index, of_levels in enumerate(gates):
            candidates: list[dict[str, Any]] = [{} for _ in masses[index + 1]]
            for level, features in enumerate(states):
                candidates[level][SKIP] = features
                for state, shape in shapes_at(level, self.settings.initial_filters).items():
                    cell = index, level, state
                    inputs = [run((*cell, INPUT), features)]
                    edges = [(*cell, edge) for edge in range(len(HYPER.edges))]
                    output = run.graph(HYPER, edges, inputs, rows[index])
                    candidates[shape.output_level][state] = output
            arriving = arrivals(masses[index], of_levels)
            states = [
                _blend(shares, each) for shares, each in zip(arriving, candidates, strict=True)
            ]
            for level, (mass, features) in enumerate(zip(masses[index + 1], states, strict=True)):
                if level == len(last):
                    last.append(features)
                else:
                    mass = ops.cast(mass, features.dtype)
                    last[level] = mass * features + (1.0 - mass) * last[level]
        return last, masses[-1]

    def _aggregate(self, run: MixedOperationsRun, last, final, rows: Any, training: bool) -> Any:
        """The aggregation cell, blended with the aligned stem by the mass without reductions."""
        features = [
            layer(each, training=training)
            for layer, each in zip(self.alignments, last, strict=False)
        ]
        # Masses of networks that have each input.
        present: list[Any] = [sum(final[level:]) for level in range(1, len(final))]
        # Too few hyper-cells do not reach all levels.
        missing = FUSION.inputs - len(present)
        inputs = [*features[1:], *[None] * missing]
        present += [0.0] * missing
        shares = []
        for edge, (_, source) in enumerate(FUSION.edges):
            share = present[source] if source < FUSION.inputs else 1.0
            shares.append(rows[edge] * share)
        joined = run.graph(FUSION, _AGGREGATION, inputs, ops.stack(shares))
        bare = ops.cast(final[0], joined.dtype)
        return (1.0 - bare) * joined + bare * features[0]


def _blend(shares: dict[str, Any], features: dict[str, Any]) -> Any:
    """Mean of the features, weighted by share; equal weights where all shares are 0."""
    values = ops.stack(list(shares.values()))
    total = ops.sum(values)
    arrives = total > _TINY
    weights = ops.where(
        arrives, values / ops.where(arrives, total, 1.0), ops.ones_like(values) / len(shares)
    )
    return sum(
        ops.cast(weight, features[state].dtype) * features[state]
        for weight, state in zip(ops.unstack(weights), shares, strict=True)
    )
