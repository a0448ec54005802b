"""The scale trellis: which hyper-cells run at which resolution, and how likely.

Every hyper-cell keeps the resolution (`normal`), halves it (`reduce`) or does nothing (`skip`). Its
gates are the shares of these states. The resolution before a hyper-cell depends on the gates of all
hyper-cells before it, so that a supernet holds a copy for each. The mass m of a hyper-cell and a
resolution is the probability that a network has this resolution there, as if gates were
independent.

Levels count reductions: 0 is the stem's resolution, 1/2. At the last level nothing reduces, and
the gates are those of `coarsest`: without `reduce`, renormalised.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from keras import ops

SCALES = (2, 4, 8, 16)
"""Scale of every level: image size over feature size."""

STATES = NORMAL, REDUCE, SKIP = "normal", "reduce", "skip"
"""States of a hyper-cell, in the order of its gates."""

COARSEST_STATES = (NORMAL, SKIP)
"""States at the last level, in the order of its gates."""

LAST = len(SCALES) - 1


class Gates(NamedTuple):
    """Shares of the states of a hyper-cell at a level; `reduce` is None at the last level."""

    normal: Any
    reduce: Any
    skip: Any


class Trellis(NamedTuple):
    """Gates and masses of all hyper-cells.

    Attributes:
        gates: By hyper-cell and level.
        masses: By hyper-cell and level, before it; then those at the end, one entry more.
    """

    gates: list[list[Gates]]
    masses: list[list[Any]]


def trellis(gates: Any, coarsest: Any) -> Trellis:
    """Masses by `m(h, s) = m(h-1, s) (normal + skip) + m(h-1, s-1) reduce`; they sum to 1.

    Args:
        gates: `(hyper-cells, 3)`, in the order of `STATES`.
        coarsest: `(hyper-cells, 2)`, in the order of `COARSEST_STATES`.

    Reference:
        AutoRTNet (Sun et al., IJCV 2021) for the states; the recursion is our choice.
    """
    gates, coarsest = ops.convert_to_tensor(gates), ops.convert_to_tensor(coarsest)
    found, masses = [], [[ops.convert_to_tensor(1.0)]]
    for index, (row, last) in enumerate(
        zip(ops.unstack(gates), ops.unstack(coarsest), strict=True)
    ):
        normal, skip = ops.unstack(last)
        finer = Gates(*ops.unstack(row))
        of_levels = [
            finer if level < LAST else Gates(normal, None, skip) for level in levels(index)
        ]
        found.append(of_levels)
        masses.append([sum(each.values()) for each in arrivals(masses[-1], of_levels)])
    return Trellis(found, masses)


def arrivals(before: Sequence[Any], gates: Sequence[Gates]) -> list[dict[str, Any]]:
    """For every level after a hyper-cell, the mass that arrives by each state."""
    found: list[dict[str, Any]] = []
    for level in range(min(len(before), LAST) + 1):
        each = {}
        if level < len(before):
            each[NORMAL] = before[level] * gates[level].normal
            each[SKIP] = before[level] * gates[level].skip
        if level > 0:
            each[REDUCE] = before[level - 1] * gates[level - 1].reduce
        found.append(each)
    return found


def levels(index: int) -> range:
    """Levels that hyper-cell `index` can be reached at."""
    return range(min(index, LAST) + 1)


def filters_at(level: int, initial_filters: int) -> int:
    """Filters of a node at a level."""
    return initial_filters * 2**level
