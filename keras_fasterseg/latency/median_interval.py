"""Confidence interval of a median."""

import math
from collections.abc import Sequence

import numpy as np


def median_interval(
    values: Sequence[float] | np.ndarray, confidence: float = 0.95
) -> tuple[float, float]:
    """Confidence interval for the median of the distribution behind `values`.

    The bounds are two of the sorted values. No assumption about the distribution is needed: the
    number of values below the true median is binomial with probability one half.

    Args:
        values: Independent draws.
        confidence: Minimum probability that the interval contains the median, in (0, 1).

    Returns:
        The lower and the upper bound; infinite if there are too few values (fewer than 6 at 95 %).

    Raises:
        ValueError: `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be in (0, 1). Received: confidence={confidence}")
    ordered = np.sort(np.asarray(values, np.float64))
    count = ordered.size
    tail, rank = 0.0, -1
    # Drop `rank` values at each end: the largest number whose tail probability is small enough.
    for below in range(count // 2):
        tail += _half_binomial(count, below)
        if tail > (1 - confidence) / 2:
            break
        rank = below
    if rank < 0:
        return -math.inf, math.inf
    return float(ordered[rank]), float(ordered[count - 1 - rank])


def _half_binomial(count: int, below: int) -> float:
    """Probability that exactly `below` of `count` fair coins show heads."""
    # With logarithms, because 2 ** count exceeds the range of floats beyond 1,023 values.
    logarithm = math.lgamma(count + 1) - math.lgamma(below + 1) - math.lgamma(count - below + 1)
    return math.exp(logarithm - count * math.log(2))
