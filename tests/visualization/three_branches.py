"""The deepest network there is, with every kind of cell: 16 layers, three branches."""

import itertools

from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)

WIDTHS = (4 / 12, 6 / 12, 8 / 12, 10 / 12, 1.0)


def three_branches() -> FasterSegGenotype:
    """Branches of 16 cells that part after four and six; they go down at 4 and 10, at 8, and never.

    No skip has stride 1, since those are no cells of a derived network.
    """
    branches = (_branch(32, (4, 10), 1), _branch(16, (8,), 2), _branch(8, (), 3))
    return FasterSegGenotype("fasterseg", 12, 16, 8 / 12, 8 / 12, branches)


def _branch(end: int, downs: tuple[int, ...], offset: int) -> BranchGenotype:
    cells, scale = [], 8
    kinds = itertools.cycle(PRIMITIVES[1:])
    for layer in range(16):
        kind = next(kinds)
        width = WIDTHS[(layer + (offset if layer >= 6 else 0)) % 5]
        stride = 2 if layer in downs else 1
        if stride == 2 and scale == 8:
            kind = "skip"
        cells.append(CellGenotype(layer, scale, kind, stride, 8 / 12 if layer == 15 else width))
        scale *= stride
    return BranchGenotype(end, tuple(cells))
