"""How well a median is known."""

import math
from collections.abc import Sequence

import numpy as np


def median_interval(
    values: Sequence[float] | np.ndarray, confidence: float = 0.95
) -> tuple[float, float]:
    """An interval that holds the median of the distribution that `values` were drawn from.

    The bounds are two of the ordered values, so that nothing is assumed of the distribution: the
    number of values below the true median is binomial with probability one half.

    Args:
        values: Independent draws.
        confidence: Least probability that the interval holds the median, in (0, 1).

    Returns:
        The bounds; infinite where there are too few values for a bound (below 6 at 95 %).

    Raises:
        ValueError: `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be in (0, 1). Received: confidence={confidence}")
    ordered = np.sort(np.asarray(values, np.float64))
    count = ordered.size
    tail, rank = 0.0, -1
    # `rank` values may be left out at each end: the largest number whose tail is small enough.
    for below in range(count // 2):
        tail += _half_binomial(count, below)
        if tail > (1 - confidence) / 2:
            break
        rank = below
    if rank < 0:
        return -math.inf, math.inf
    return float(ordered[rank]), float(ordered[count - 1 - rank])


def _half_binomial(count: int, below: int) -> float:
    """The probability that `below` of `count` fair coins show heads."""
    # By logarithms, since 2 ** count is no float beyond 1,023 values.
    logarithm = math.lgamma(count + 1) - math.lgamma(below + 1) - math.lgamma(count - below + 1)
    return math.exp(logarithm - count * math.log(2))
