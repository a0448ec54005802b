"""Network built from a GAS-style genotype."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.atrous_pyramid import AtrousPyramid
from keras_fasterseg.layers.cell_operations import make_cell_operation
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION
from keras_fasterseg.spaces.cells.keys import AUXILIARY
from keras_fasterseg.spaces.cells.level_alignment import LevelAlignment
from keras_fasterseg.spaces.cells.stem_and_heads import full_size_logits, stem_layers
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.plan import STEM, CellPlan, fused_cells
from keras_fasterseg.spaces.network import SegmentationNetwork


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class GasNetwork(SegmentationNetwork):
    """Derived network of the GAS-style space; arguments as in `SegmentationNetwork`.

    Three 3x3 conv-bn-relu to 1/2 (`stem_0` to `stem_2`), cells, then atrous spatial pyramid
    pooling of the last cell, or a fusion cell that joins the last cells of three scales at 1/8. A
    1x1 convolution predicts logits, and a bilinear resize (aligned corners) brings them to full
    size. Cells that the prediction does not depend on are left out. The auxiliary head is a 1x1
    convolution on the last cell. Stem, decoder and auxiliary head are not specified in the papers;
    our choices.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793); the fusion cell: Cheng et al.
        (https://arxiv.org/abs/2302.08481).
    """

    genotype: GasGenotype
    genotype_class = GasGenotype

    @classmethod
    def make_logits(cls, images, genotype: Any, num_classes, auxiliary_heads, dropout, dtype):
        features = {STEM: images}
        for layer in stem_layers(CELL.nodes * genotype.initial_filters, dtype):
            features[STEM] = layer(features[STEM])
        plans = genotype.live_cells
        for plan in plans:
            operations = genotype.cells[plan.index]
            features[plan.index] = _run_cell(plan, operations, features, dtype)

        if genotype.fusion:
            joined, scale = _run_fusion(genotype, features, dtype)
        else:
            pyramid = AtrousPyramid(genotype.decoder_filters, dtype=dtype, name="pyramid")
            joined, scale = pyramid(features[plans[-1].index]), plans[-1].scale

        heads = {cls.prediction: ("classifier", joined, scale)}
        if auxiliary_heads:
            heads[AUXILIARY] = (AUXILIARY, features[plans[-1].index], plans[-1].scale)
        return full_size_logits(heads, num_classes, dropout, dtype)


def _run_cell(plan: CellPlan, operations, features, dtype):
    inputs: list[Any] = [None] * CELL.inputs
    for number in CELL.used_inputs(operations):
        source = plan.inputs[number]
        name = f"{plan.name}_input_{number}"
        layer = make_cell_operation(
            source.operation, plan.filters, source.strides, dtype=dtype, name=name
        )
        inputs[number] = layer(features[source.source])

    def apply(edge, state):
        strides, name = plan.edge_strides(edge), f"{plan.name}_edge_{edge}"
        return make_cell_operation(operations[edge], plan.filters, strides, dtype=dtype, name=name)(
            state
        )

    return ops.concatenate(CELL.run(operations, inputs, apply), axis=-1)


def _run_fusion(genotype: GasGenotype, features, dtype):
    filters = genotype.decoder_filters
    scale = fused_cells(genotype.plans)[1].scale
    inputs: list[Any] = [None] * FUSION.inputs
    for number, plan in genotype.fused.items():
        name = f"fusion_input_{number}"
        layer = LevelAlignment(filters, plan.scale / scale, dtype=dtype, name=name)
        inputs[number] = layer(features[plan.index])

    def apply(edge, state):
        name = f"fusion_edge_{edge}"
        return make_cell_operation(genotype.fusion[edge], filters, dtype=dtype, name=name)(state)

    return ops.concatenate(FUSION.run(genotype.fusion, inputs, apply), axis=-1), scale
