"""Timing on a device: warm-up until stable, then calls until number and duration suffice."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

from keras_fasterseg.benchmark.statistics import TimeStatistics

Timed = Callable[[int], list[float]]

STABLE = 0.02


@dataclasses.dataclass(frozen=True)
class Effort:
    """Effort of one measurement.

    Attributes:
        repetitions: Minimum number of timed calls.
        seconds: Minimum total duration of the timed calls, in seconds.
        warmup_seconds: Longest warm-up, in seconds.
    """

    repetitions: int = 100
    seconds: float = 1.0
    warmup_seconds: float = 5.0


def measure_calls(timed: Timed, effort: Effort) -> dict[str, Any]:
    """Measures a call on a device that is used by nothing else.

    The warm-up is rounds of calls, until the medians of two successive rounds differ by less than
    2 percent.

    Args:
        timed: Makes a number of calls and returns the seconds of each.
        effort: The effort.

    Returns:
        Percentiles in milliseconds, the number of repetitions and of warm-up calls, and whether the
        warm-up became stable.
    """
    start, warmup, stable = time.monotonic(), 0, False
    count, before = 3, None
    while not stable and time.monotonic() - start < effort.warmup_seconds:
        median = statistics.median(timed(count))
        warmup += count
        stable = before is not None and abs(median - before) < STABLE * before
        before = median
        count = max(3, min(100, int(0.1 / max(median, 1e-6))))
    enough = int(effort.seconds / max(before or 1.0, 1e-6)) + 1
    seconds = timed(max(effort.repetitions, min(enough, 10 * effort.repetitions)))
    return {
        **dataclasses.asdict(TimeStatistics.from_seconds(seconds)),
        "warmup_calls": warmup,
        "warmup_stable": stable,
    }
