"""Multiply-accumulates, values and weights of networks and supernets, without building them."""

import dataclasses
from collections.abc import Iterable, Sequence

from keras_fasterseg.genotype import PRIMITIVES, SCALES, Genotype, node_filters
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import (
    multiply_accumulates,
    normalized_filters,
    output_elements,
    parameters,
)
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.spaces.fasterseg.stages import network_stages, stem_keys


@dataclasses.dataclass(frozen=True)
class Work:
    """One pass of one image, and the weights behind it.

    Attributes:
        macs: Multiply-accumulates of the convolutions.
        elements: Values that the convolutions put out.
        operations: Operations, each of one or two convolutions.
        trainable: Weights that are trained.
        statistics: Moving means and variances.
    """

    macs: int
    elements: int
    operations: int
    trainable: int
    statistics: int

    def __add__(self, other: "Work") -> "Work":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Work(*map(sum, pairs))


def operations_work(keys: Iterable[OpKey], widths: int = 1) -> Work:
    """The sum over operations.

    Args:
        keys: The operations.
        widths: Rows of each normalization: the width multipliers of a supernet's cells.
    """
    counts = [
        (
            multiply_accumulates(key),
            output_elements(key),
            1,
            parameters(key) + 2 * (widths - 1) * normalized_filters(key),
            2 * widths * normalized_filters(key),
        )
        for key in keys
    ]
    return Work(*map(sum, zip((0,) * 5, *counts, strict=True)))


def network_work(
    genotype: Genotype, size: tuple[int, int], num_classes: int, training: bool = True
) -> Work:
    """The work of a derived network for one image.

    Args:
        genotype: The network.
        size: Height and width of the image; what runs is padded to multiples of 32.
        num_classes: Number of classes.
        training: Whether the auxiliary heads are there.
    """
    padded = tuple(-(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in size)
    stages = network_stages(genotype, padded, num_classes)
    return operations_work(
        key for stage in stages if training or not stage.training_only for key in stage.keys
    )


def cells_work(
    num_layers: int, base_filters: int, width_multipliers: Sequence[float], size: tuple[int, int]
) -> Work:
    """The work of all cells of a supernet that blends inputs: every cell runs once, at full width.

    Args:
        num_layers: Layers of the supernet.
        base_filters: Base filters F.
        width_multipliers: The widths a node chooses from.
        size: Height and width of the image, multiples of 32.
    """
    keys = []
    for index, scale in enumerate(SCALES):
        height, columns = (side // scale for side in size)
        for stride, count in ((1, num_layers - index), (2, num_layers - 1 - index)):
            if scale * stride > SCALES[-1]:
                continue
            filters = [node_filters(each, base_filters, 1.0) for each in (scale, scale * stride)]
            cell = [OpKey(name, height, columns, *filters, stride) for name in PRIMITIVES]
            keys += cell * count
    return operations_work(keys, len(width_multipliers))


def stem_and_heads_work(
    base_filters: int, width: float, size: tuple[int, int], num_classes: int
) -> Work:
    """The work of a role's stem, decoder and five heads in the supernet.

    Args:
        base_filters: Base filters F.
        width: The role's width multiplier.
        size: Height and width of the image, multiples of 32.
        num_classes: Number of classes.
    """
    filters = {scale: node_filters(scale, base_filters, width) for scale in SCALES}

    def key(operation: str, scale: int, inputs: int, outputs: int) -> OpKey:
        return OpKey(operation, size[0] // scale, size[1] // scale, inputs, outputs, 1)

    keys = list(stem_keys(base_filters, width, size))
    for coarse, fine in ((16, 8), (32, 16), (16, 8)):
        keys.append(key("conv_bn_relu_1x1", coarse, filters[coarse], filters[fine]))
        keys.append(key("conv_bn_relu_3x3", fine, 2 * filters[fine], filters[fine]))
    keys += [key("head", 8, heads * filters[8], num_classes) for heads in (1, 1, 1, 2, 2)]
    return operations_work(keys)
