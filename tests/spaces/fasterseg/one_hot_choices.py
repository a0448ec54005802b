"""Paths through the supernet as genotypes, and the one-hot choices that take them."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.choices import Choices, width_shapes
from keras_fasterseg.spaces.fasterseg.genotype import (
    SCALES,
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.settings import WIDTH_MULTIPLIERS

NUM_LAYERS = 6
BASE_FILTERS = 6


def make_genotype(
    branches: Sequence[BranchGenotype], end_width: float, num_layers: int = NUM_LAYERS
) -> FasterSegGenotype:
    """A genotype whose stem and heads have the width `end_width`."""
    return FasterSegGenotype(
        "fasterseg", BASE_FILTERS, num_layers, end_width, end_width, tuple(branches)
    )


def full_branch(
    primitives: Sequence[str], downs: Sequence[int], widths: Sequence[float]
) -> BranchGenotype:
    """A branch with one cell per layer, of stride 2 at the layers `downs`."""
    cells, scale = [], 8
    for layer, (primitive, width) in enumerate(zip(primitives, widths, strict=True)):
        stride = 2 if layer in downs else 1
        cells.append(CellGenotype(layer, scale, primitive, stride, width))
        scale *= stride
    return BranchGenotype(scale, tuple(cells))


def choices_of_branch(branch: BranchGenotype, role: str, seed: int = 0) -> Choices:
    """One-hot choices that take `branch`, which has a cell per layer; random ones off its path."""
    num_layers = len(branch.cells)
    generator = np.random.default_rng(seed)
    alphas = [generator.integers(len(PRIMITIVES), size=num_layers - j) for j in range(3)]
    betas = [generator.integers(2, size=num_layers - 1 - j) for j in (1, 2)]
    widths = [generator.integers(len(WIDTH_MULTIPLIERS), size=n) for n in width_shapes(num_layers)]
    came_down = 0
    for layer, cell in enumerate(branch.cells):
        j = SCALES.index(cell.scale)
        alphas[j][layer - j] = PRIMITIVES.index(cell.primitive)
        if layer > j > 0:
            betas[j - 1][layer - j - 1] = 0 if came_down else 1
        came_down = cell.stride == 2
        if layer + 1 < num_layers:
            j = SCALES.index(cell.scale * cell.stride)
            row = layer if j == 0 else layer - j + 1
            widths[j][row] = WIDTH_MULTIPLIERS.index(cell.width)
    return Choices(
        tuple(_one_hot(index, len(PRIMITIVES)) for index in alphas),
        tuple(_one_hot(index, 2) for index in betas),
        tuple(_one_hot(index, len(WIDTH_MULTIPLIERS)) for index in widths),
        role,
    )


def randomize_weights(weights, seed: int = 0) -> None:
    """Gives batch norms parameters and statistics that none confuses; kernels stay as they are."""
    generator = np.random.default_rng(seed)
    for weight in weights:
        ending = weight.name.rpartition(".")[2]
        if ending in ("gamma", "moving_variance"):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif ending in ("beta", "moving_mean", "bias"):
            weight.assign(generator.normal(0, 0.3, weight.shape))


def random_images(batch: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(batch, height, width, 3)).astype("float32")


def _one_hot(index: np.ndarray, size: int):
    return ops.one_hot(index, size, dtype="float32")
