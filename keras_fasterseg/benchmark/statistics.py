"""Summary statistics of measured times."""

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
        """Summarises `seconds`; percentiles are interpolated linearly.

        Raises:
            ValueError: `seconds` is empty.
        """
        if not len(seconds):
            raise ValueError("No times to summarise: measure at least one repetition.")
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


def fps_text(fps: float) -> str:
    """Formats a frame rate with one decimal, or three digits below 1: 123.4 and 0.0476."""
    return f"{fps:.{2 - math.floor(math.log10(fps)) if 0 < fps < 1 else 1}f}"
