"""Network built from an AutoRTNet-style genotype."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.cell_operations import make_cell_operation
from keras_fasterseg.spaces.autortnet.cell_shape import HYPER, PREPROCESSING
from keras_fasterseg.spaces.autortnet.genotype import AutoRTNetGenotype
from keras_fasterseg.spaces.autortnet.stages import AGGREGATION_SCALE
from keras_fasterseg.spaces.autortnet.trellis import SCALES
from keras_fasterseg.spaces.cells.cell_graph import FUSION
from keras_fasterseg.spaces.cells.keys import AUXILIARY
from keras_fasterseg.spaces.cells.level_alignment import LevelAlignment
from keras_fasterseg.spaces.cells.stem_and_heads import full_size_logits, stem_layers
from keras_fasterseg.spaces.network import SegmentationNetwork


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class AutoRTNetNetwork(SegmentationNetwork):
    """Derived network of the AutoRTNet-style space; arguments as in `SegmentationNetwork`.

    Three 3x3 conv-bn-relu to 1/2 (`stem_0` to `stem_2`), the hyper-cells that run, then an
    aggregation cell that joins the last features of all resolutions behind a reduction at 1/8;
    without reductions, an aligned copy of the last feature. A 1x1 convolution predicts logits, and
    a bilinear resize (aligned corners) brings them to full size. Cells that the prediction does
    not depend on are left out. The auxiliary head is a 1x1 convolution on the last feature.

    Reference:
        AutoRTNet (Sun et al., IJCV 2021, https://arxiv.org/abs/2003.14226); most inner constants
        are our choices.
    """

    genotype: AutoRTNetGenotype
    genotype_class = AutoRTNetGenotype

    @classmethod
    def make_logits(cls, images, genotype: Any, num_classes, auxiliary_heads, dropout, dtype):
        features = images
        for layer in stem_layers(HYPER.nodes * genotype.initial_filters, dtype):
            features = layer(features)
        last = {0: features}
        for cell, shape in genotype.live_cells:
            features = _run_cell(cell, shape, features, dtype)
            last[shape.output_level] = features
        joined = _aggregate(genotype, last, dtype)
        heads = {cls.prediction: ("classifier", joined, AGGREGATION_SCALE)}
        if auxiliary_heads:
            level = max(genotype.aggregated.values())
            heads[AUXILIARY] = (AUXILIARY, last[level], SCALES[level])
        return full_size_logits(heads, num_classes, dropout, dtype)


def _run_cell(cell, shape, features, dtype):
    preprocess = make_cell_operation(
        PREPROCESSING, shape.filters, dtype=dtype, name=f"{cell.name}_input"
    )

    def apply(edge, state):
        return make_cell_operation(
            cell.operations[edge],
            shape.filters,
            shape.edge_strides(edge),
            dtype=dtype,
            name=f"{cell.name}_edge_{edge}",
        )(state)

    return ops.concatenate(HYPER.run(cell.operations, [preprocess(features)], apply), axis=-1)


def _aggregate(genotype: AutoRTNetGenotype, last, dtype):
    filters = genotype.decoder_filters
    inputs: list[Any] = [None] * max(genotype.level, 1)
    for number, level in genotype.aggregated.items():
        inputs[number] = LevelAlignment(
            filters if level else FUSION.nodes * filters,
            SCALES[level] / AGGREGATION_SCALE,
            dtype=dtype,
            name=f"aggregation_input_{level}",
        )(last[level])
    if not genotype.level:
        return inputs[0]

    def apply(edge, state):
        name = f"aggregation_edge_{edge}"
        return make_cell_operation(genotype.aggregation[edge], filters, dtype=dtype, name=name)(
            state
        )

    return ops.concatenate(genotype.graph.run(genotype.aggregation, inputs, apply), axis=-1)
