"""Weights of the supernet as the first weights of a network derived from it."""

from collections.abc import Iterator

import keras
import numpy as np

from keras_fasterseg.genotype import PRIMITIVES, SCALES
from keras_fasterseg.layers.layer_stack import LayerStack
from keras_fasterseg.layers.primitives import FactorizedReduce
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.plan import CellPlan
from keras_fasterseg.spaces.fasterseg.supernet import Supernet


def inherit_weights(network: FasterSegNetwork, supernet: Supernet, role: str) -> int:
    """Copies the supernet's stem and cells into a derived network.

    A cell gets the weights of its primitive at its own (layer, scale): the first channels of the
    kernels, as many as its input and output have, and the parameters and statistics that the batch
    norm keeps for its width. A cell that branches share gets those of its first branch; a skip of
    stride 1 is the identity and has none. Decoder and heads stay as they are: the supernet's join
    other features.

    Args:
        network: The derived network, changed in place.
        supernet: A built supernet of the same layers and base filters.
        role: Whose stem is copied: "teacher" or "student".

    Returns:
        How many weights of the network were set.

    Raises:
        ValueError: The supernet is not built, or the network is not one of its; nothing has been
            changed then.
    """
    _require_kinship(network, supernet, role)
    inherited = _stem_weights(network.get_layer(network.plan.stem.layer), supernet.stems[role])
    for cell in network.plan.cells:
        inherited += _cell_weights(network.get_layer(cell.name), cell, supernet)
    for weight, value in inherited:
        weight.assign(value)
    return len(inherited)


def _require_kinship(network: FasterSegNetwork, supernet: Supernet, role: str) -> None:
    genotype = network.genotype
    if role not in supernet.stems:
        raise ValueError(f"`role` must be one of {sorted(supernet.stems)}. Received: role={role!r}")
    if not supernet.built:
        raise ValueError(
            "The supernet has no weights yet; build it and load them before they are inherited."
        )
    expected = {
        "base_filters": supernet.base_filters,
        "num_layers": supernet.num_layers,
        "stem_width": supernet.stem_head_widths[role],
        "head_width": supernet.stem_head_widths[role],
    }
    received = {name: getattr(genotype, name) for name in expected}
    if received != expected:
        raise ValueError(
            f"The genotype {genotype.id} has {received}, but the {role} of this supernet has "
            f"{expected}; inherit from the supernet that the genotype was derived from."
        )
    widths = {cell.width for branch in genotype.branches for cell in branch.cells}
    unknown = sorted(widths - set(supernet.width_multipliers))
    if unknown:
        raise ValueError(
            f"The genotype {genotype.id} has cells of the widths {unknown}, which are none of the "
            f"supernet's width multipliers {supernet.width_multipliers}."
        )


def _stem_weights(stem: Stem, source: Stem) -> list[tuple[keras.Variable, np.ndarray]]:
    values = [keras.ops.convert_to_numpy(weight) for weight in source.weights]
    return list(zip(stem.weights, values, strict=True))


def _cell_weights(
    layer: keras.layers.Layer, cell: CellPlan, supernet: Supernet
) -> list[tuple[keras.Variable, np.ndarray]]:
    """The weights of a cell's layer with the values that they inherit."""
    genotype = cell.cell
    scale_index = SCALES.index(genotype.scale)
    stack = (supernet.keep if genotype.stride == 1 else supernet.down)[scale_index]
    row = genotype.layer - scale_index
    source = stack.template.primitives[PRIMITIVES.index(genotype.primitive)]
    width_index = supernet.width_multipliers.index(genotype.width)
    return [
        (weight, _narrowed(stack, template, row, width_index, weight.shape))
        for weight, template in _pairs(layer, source)
    ]


def _pairs(
    layer: keras.layers.Layer, source: keras.layers.Layer
) -> Iterator[tuple[keras.Variable, keras.Variable]]:
    """Weights of a derived primitive, each with that of the slimmable one that it comes from."""
    if isinstance(layer, FactorizedReduce):
        yield layer.even_kernel, source.even_kernel
        yield layer.odd_kernel, source.odd_kernel
        yield from _normalization_pairs(layer.normalization, source.normalization)
    elif not isinstance(layer, keras.layers.Identity):
        for block, source_block in zip(layer.blocks, source.blocks, strict=True):
            yield block.convolution.kernel, source_block.convolution.kernel
            yield from _normalization_pairs(block.normalization, source_block.normalization)


def _normalization_pairs(
    layer: keras.layers.Layer, source: keras.layers.Layer
) -> Iterator[tuple[keras.Variable, keras.Variable]]:
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        yield getattr(layer, name), getattr(source, name)


def _narrowed(
    stack: LayerStack,
    template: keras.Variable,
    row: int,
    width_index: int,
    shape: tuple[int, ...],
) -> np.ndarray:
    """One layer's value of a stacked weight, cut to the first channels of a narrower layer."""
    (stacked,) = stack.stacked([template])
    value = keras.ops.convert_to_numpy(stacked[row])
    if value.ndim == 2:
        # (widths, channels): a batch norm keeps one vector for every width.
        value = value[width_index]
    return value[tuple(slice(0, size) for size in shape)]
