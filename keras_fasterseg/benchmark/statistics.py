"""From single times to the few numbers that are quoted."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

TRIMMED_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class TimeStatistics:
    """The distribution of the times of one call, in milliseconds.

    Attributes:
        p50_ms: Median.
        p90_ms: 90th percentile.
        p99_ms: 99th percentile.
        mean_ms: Mean.
        trimmed_mean_ms: Mean without the fastest and the slowest tenth.
        repetitions: Number of times.
    """

    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    trimmed_mean_ms: float
    repetitions: int

    @classmethod
    def from_seconds(cls, seconds: Sequence[float]) -> "TimeStatistics":
        """Summarises `seconds`; percentiles are interpolated linearly between the times.

        Raises:
            ValueError: `seconds` is empty.
        """
        if not len(seconds):
            raise ValueError("There are no times to summarise; measure at least one repetition.")
        ordered = 1000.0 * np.sort(np.asarray(seconds, np.float64))
        trimmed = int(TRIMMED_SHARE * len(ordered))
        p50, p90, p99 = np.percentile(ordered, (50, 90, 99))
        return cls(
            p50_ms=float(p50),
            p90_ms=float(p90),
            p99_ms=float(p99),
            mean_ms=float(ordered.mean()),
            trimmed_mean_ms=float(ordered[trimmed : len(ordered) - trimmed].mean()),
            repetitions=len(ordered),
        )


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The interval that holds the median of what `values` are a sample of, whatever its shape.

    Its ends are two of the values, of the ranks r and n + 1 - r. The median lies below the r-th
    smallest of n independent values with the probability that a fair coin, thrown n times, shows
    heads fewer than r times; r is the largest for which that is at most `(1 - confidence) / 2`.

    Args:
        values: Independent values in any order.
        confidence: Least probability that the interval holds the median, above 0 and below 1.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: `confidence` is out of its range, or there are too few values for it; 95 % take
            at least 6.

    Reference:
        H. A. David, H. N. Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    needed, count = interval_values(confidence), len(values)
    if count < needed:
        raise ValueError(
            f"An interval of the median with confidence {confidence} needs at least {needed} "
            f"values; measure more of them. Received: {count} values"
        )
    ordered = np.sort(np.asarray(values, np.float64))
    rank = _lower_rank(count, confidence)
    return float(ordered[rank - 1]), float(ordered[count - rank])


def interval_values(confidence: float = 0.95) -> int:
    """The least number of values that `median_interval` makes an interval of.

    Raises:
        ValueError: `confidence` does not lie above 0 and below 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(
            f"`confidence` must lie above 0 and below 1. Received: confidence={confidence}"
        )
    # All values lie on one and the same side of the median with probability 2 / 2**n.
    return max(1, math.ceil(1 - math.log2(1 - confidence)))


def _lower_rank(count: int, confidence: float) -> int:
    """The largest r with P(Binomial(count, 1/2) < r) at most `(1 - confidence) / 2`."""
    total, ways, tail, rank = 2**count, 1, 1, 0
    # Whole numbers: the probabilities underflow from a thousand values on.
    while tail / total <= (1 - confidence) / 2:
        rank += 1
        ways = ways * (count - rank + 1) // rank
        tail += ways
    return rank
