"""Networks with the weights of a supernet: a derived network before its own training."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.layer_stack import LayerStack
from keras_fasterseg.layers.primitives import PRIMITIVES, ConvPrimitive, FactorizedReduce
from keras_fasterseg.layers.upsample_fusion import UpsampleFusion
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.fasterseg.genotype import SCALES, FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.plan import NetworkPlan
from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions, SupernetDecoder

_STATISTICS_AND_AFFINE = ("gamma", "beta", "moving_mean", "moving_variance")


def inherited_network(supernet: Supernet, genotype: FasterSegGenotype, role: str) -> keras.Model:
    """Builds the network of `genotype` with weights of `supernet`, which is not changed.

    Stem and cells inherit by (layer, scale) and width, the decoder and the head those of `role`.
    Two weights have no counterpart. The supernet's decoder reads finer features of the last layer,
    a derived network those before its descents: their kernels start at zero. The fusion of a
    derived network is left out.

    Args:
        supernet: The built supernet.
        genotype: A network of its search space, with the branches of one of its predictions.
        role: Role whose stem, decoder and head are inherited.

    Returns:
        A model of normalised images that predicts logits at 1/8. Its statistics are those of the
        supernet, which fit no single network: see `search.batch_statistics`.

    Raises:
        ValueError: The genotype is of another supernet, or no prediction has these branches.
    """
    width = supernet.stem_head_widths[role]
    expected = {
        "base_filters": supernet.base_filters,
        "num_layers": supernet.num_layers,
        "stem_width": width,
        "head_width": width,
    }
    found = {name: getattr(genotype, name) for name in expected}
    require(found == expected, f"The supernet has {expected}. Received a genotype of {found}")
    network = FasterSegNetwork(genotype, supernet.num_classes)
    plan = network.plan
    network.get_layer("stem").set_weights(supernet.stems[role].get_weights())
    for cell in plan.cells:
        stacks = supernet.keep if cell.cell.stride == 1 else supernet.down
        index = SCALES.index(cell.cell.scale)
        _inherit_cell(
            network.get_layer(cell.name),
            stacks[index],
            cell.cell.layer - index,
            PRIMITIVES.index(cell.cell.primitive),
            supernet.width_multipliers.index(cell.cell.width),
        )
    decoder = supernet.decoders[role]
    for branch, steps in zip(genotype.branches, plan.joins, strict=True):
        fusions = {
            16: [decoder.fusion_16],
            32: [decoder.fusion_32_16, decoder.fusion_32_8],
        }.get(branch.scale, [])
        for join, fusion in zip(steps, fusions, strict=True):
            _inherit_fusion(network.get_layer(join.name), fusion)
    head = network.get_layer("head")
    _inherit_head(head, _head_of(decoder, genotype), plan, _scales(genotype))
    return keras.Model(network.input, head(network.get_layer("fusion").input))


def _scales(genotype: FasterSegGenotype) -> list[int]:
    return [branch.scale for branch in genotype.branches]


def _head_of(decoder: SupernetDecoder, genotype: FasterSegGenotype) -> Head:
    name = "_".join(map(str, ["scale", *sorted(_scales(genotype))]))
    require(
        name in Predictions._fields,
        f"The supernet predicts {', '.join(Predictions._fields)}. "
        f"Received a genotype with branches at {_scales(genotype)}",
    )
    return decoder.heads[Predictions._fields.index(name)]


def _inherit_cell(
    layer: keras.layers.Layer, stack: LayerStack, row: int, primitive: int, width: int
) -> None:
    """Copies a primitive of the cell `row` at a width; an identity has nothing to copy."""
    source = stack.template.primitives[primitive]

    def value(variable: keras.Variable) -> np.ndarray:
        (stacked,) = stack.stacked([variable])
        return ops.convert_to_numpy(stacked[row])

    def normalization(target: Any, norm: Any) -> None:
        for name in _STATISTICS_AND_AFFINE:
            _assign(getattr(target, name), value(getattr(norm, name))[width])

    if isinstance(layer, FactorizedReduce):
        _assign(layer.even_kernel, value(source.even_kernel))
        _assign(layer.odd_kernel, value(source.odd_kernel))
        normalization(layer.normalization, source.normalization)
    elif isinstance(layer, ConvPrimitive):
        for block, own in zip(layer.blocks, source.blocks, strict=True):
            _assign(block.convolution.kernel, value(own.convolution.kernel))
            normalization(block.normalization, own.normalization)


def _inherit_fusion(layer: UpsampleFusion, source: UpsampleFusion) -> None:
    _inherit_conv(layer.reduction, source.reduction)
    own = ops.convert_to_numpy(source.refinement.convolution.kernel)
    kernel = np.zeros(layer.refinement.convolution.kernel.shape, "float32")
    kernel[:, :, : layer.filters] = own[:, :, : layer.filters]
    _inherit_conv(layer.refinement, source.refinement, kernel)


def _inherit_head(
    head: Head, source: Head, plan: NetworkPlan, branch_scales: Sequence[int]
) -> None:
    """The supernet joins features in ascending order of their scales, a network by branches."""
    kernel = ops.convert_to_numpy(source.convolution.convolution.kernel)
    order = sorted(branch_scales)
    starts = np.cumsum([0, *(plan.outputs[branch_scales.index(each)].filters for each in order)])
    parts = [
        kernel[:, :, starts[index] : starts[index + 1]] for index in map(order.index, branch_scales)
    ]
    _inherit_conv(head.convolution, source.convolution, np.concatenate(parts, axis=2))
    head.classifier.set_weights(source.classifier.get_weights())


def _inherit_conv(layer: ConvBatchNorm, source: ConvBatchNorm, kernel: Any = None) -> None:
    _assign(layer.convolution.kernel, source.convolution.kernel if kernel is None else kernel)
    layer.normalization.set_weights(source.normalization.get_weights())


def _assign(target: keras.Variable, value: Any) -> None:
    """Assigns the first entries of `value` along every axis: narrower layers come first."""
    value = ops.convert_to_numpy(value)
    target.assign(value[tuple(slice(0, size) for size in target.shape)])
