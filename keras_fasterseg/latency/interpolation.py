"""Interpolation of latencies on a grid of widths, and its error."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import rows_of
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.wording import counted

CHECKED_OPERATIONS = 16
"""Number of interpolated operations that are also measured, to state the error."""


def grid_neighbours(
    key: OpKey,
    step: int = 16,
    fields: Sequence[str] = ("in_filters", "out_filters"),
    attributes: Sequence[str] = (),
) -> dict[OpKey, float]:
    """Corners of the grid cell around `key`, with the weights of multilinear interpolation.

    Multiples of `step` and numbers below `step` are on the grid. The result is exact for latencies
    that are affine in each of the numbers, such as `a*i*m + b*m*o + c`.

    Args:
        key: The operation.
        step: Distance between two numbers of the grid.
        fields: Fields of `key` to interpolate.
        attributes: Attributes of `key` to interpolate.

    Returns:
        The weight of each corner, above 0; they sum to 1.

    Raises:
        KeyError: `key` lacks an attribute.
    """
    values = dict(key.attributes)
    numbers = {name: getattr(key, name) for name in fields}
    numbers |= {name: values[name] for name in attributes}
    weights = {}
    for corner in itertools.product(*(_ends(each, step).items() for each in numbers.values())):
        moved = {name: number for name, (number, _) in zip(numbers, corner, strict=True)}
        neighbour = dataclasses.replace(
            key,
            **{name: moved[name] for name in fields},
            attributes=tuple((values | {name: moved[name] for name in attributes}).items()),
        )
        weights[neighbour] = math.prod(share for _, share in corner)
    return weights


def number_grid(numbers: Sequence[int], step: int = 16) -> tuple[tuple[int, ...], np.ndarray]:
    """Grid of `grid_neighbours` from which `numbers` are interpolated.

    Returns:
        The numbers of the grid, ascending, and their weights for each of `numbers`: float32
        `(numbers, grid)`.
    """
    ends = [_ends(number, step) for number in numbers]
    grid = sorted({number for each in ends for number in each})
    weights = [[each.get(number, 0.0) for number in grid] for each in ends]
    return tuple(grid), np.asarray(weights, "float32")


def interpolated_sample(keys: Iterable[OpKey], generator: np.random.Generator) -> tuple[OpKey, ...]:
    """Draws `CHECKED_OPERATIONS` different interpolated operations from `keys`, or all if fewer."""
    off_grid = [key for key in dict.fromkeys(keys) if key not in rows_of(key)]
    drawn = generator.permutation(len(off_grid))[:CHECKED_OPERATIONS]
    return tuple(off_grid[index] for index in drawn)


def interpolation_errors(table: LatencyTable) -> dict[OpKey, float]:
    """Relative errors |interpolated - measured| / measured of all rows that have both values.

    These are the measured rows off the grid. They are interpolated from rows on the grid only.
    """
    return {
        key: abs(table[key].latency_ms - row.latency_ms) / row.latency_ms
        for key, row in table.measured.items()
        if key not in rows_of(key) and key in table
    }


def interpolation_summary(table: LatencyTable) -> str | None:
    """Formats the errors of interpolation as a sentence; None if there are none to state."""
    errors = list(interpolation_errors(table).values())
    if not errors:
        return None
    return (
        f"Interpolated rows: median error {100 * np.median(errors):.1f} %, largest error "
        f"{100 * max(errors):.1f} % ({counted(len(errors), 'operation')}, measured as a check)."
    )


def _ends(number: int, step: int) -> dict[int, float]:
    """Numbers of the grid on both sides of `number`, with their weights."""
    above = number % step / step
    if number < step or not above:
        return {number: 1.0}
    below = number // step * step
    return {below: 1.0 - above, below + step: above}
