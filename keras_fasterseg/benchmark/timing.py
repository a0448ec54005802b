"""How long a call takes: warm-up, then calls until there are enough of them for long enough."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping

from keras_fasterseg.progress import progress_bar


def measure_callable(
    function: Callable[[], object],
    *,
    warmup: int = 10,
    warmup_seconds: float = 0.0,
    min_repetitions: int = 50,
    min_seconds: float = 1.0,
) -> list[float]:
    """Times `function` until it has run often enough and long enough.

    Args:
        function: What to time. It must not return before its work is done on the device.
        warmup: Least number of untimed calls before.
        warmup_seconds: Least duration of the untimed calls.
        min_repetitions: Least number of timed calls.
        min_seconds: Least sum of the timed calls.

    Returns:
        The time of each call in seconds, in order.

    Raises:
        ValueError: `min_repetitions` is below 1 or another argument is negative.
    """
    return measure_in_turns(
        {"function": function},
        warmup=warmup,
        warmup_seconds=warmup_seconds,
        min_repetitions=min_repetitions,
        min_seconds=min_seconds,
    )["function"]


def measure_in_turns(
    functions: Mapping[str, Callable[[], object]],
    *,
    warmup: int,
    warmup_seconds: float,
    min_repetitions: int,
    min_seconds: float,
    pause_seconds: float = 0.0,
    description: str | None = None,
) -> dict[str, list[float]]:
    """Times several functions in rounds of one call each, so that all meet the same disturbances.

    Worker threads of some runtimes go on spinning for milliseconds after a call has returned and
    would take the cores from the next function, hence the pause.

    Args:
        functions: What to time, by name.
        warmup: Least number of untimed rounds before.
        warmup_seconds: Least duration of the untimed calls of each function.
        min_repetitions: Least number of timed rounds.
        min_seconds: Least sum of the timed calls of each function.
        pause_seconds: Untimed pause before a call that follows another function's.
        description: What a progress bar calls the work; `None` shows none.

    Returns:
        The times of each function in seconds, by name; the same number for all, round by round.

    Raises:
        ValueError: `min_repetitions` is below 1 or another argument is negative.
    """
    check_durations(warmup, warmup_seconds, min_repetitions, min_seconds, pause_seconds)
    # A function that is alone is not disturbed by its own threads more than in real use.
    pause_seconds = pause_seconds if len(functions) > 1 else 0.0
    warmed = _rounds(functions, _Rounds(warmup, warmup_seconds, pause_seconds))
    rounds = _Rounds(min_repetitions, min_seconds, pause_seconds)
    return _rounds(functions, rounds, description, rounds.expected(warmed))


def check_durations(
    warmup: int,
    warmup_seconds: float,
    min_repetitions: int,
    min_seconds: float,
    pause_seconds: float = 0.0,
) -> None:
    """Raises ValueError if there is no repetition to time or a duration is negative."""
    if min_repetitions < 1:
        raise ValueError(
            f"`min_repetitions` must be at least 1. Received: min_repetitions={min_repetitions}"
        )
    if min(warmup, warmup_seconds, min_seconds, pause_seconds) < 0:
        raise ValueError(
            "Warm-up, duration and pause must not be negative. Received: "
            f"warmup={warmup}, warmup_seconds={warmup_seconds}, min_seconds={min_seconds}, "
            f"pause_seconds={pause_seconds}"
        )


@dataclasses.dataclass(frozen=True)
class _Rounds:
    """How many rounds there must be, for how long, and what is between two calls."""

    at_least: int
    seconds: float
    pause_seconds: float

    def until_enough(self, spent: Mapping[str, int]) -> Iterator[int]:
        """Counts the rounds for as long as the nanoseconds `spent`, which grow, are too few."""
        done = 0
        while done < self.at_least or min(spent.values()) < 1e9 * self.seconds:
            yield done
            done += 1

    def expected(self, warmed: Mapping[str, list[float]]) -> int | None:
        """How many there will be, by the times of the warm-up; `None` if nobody knows."""
        if self.seconds == 0:
            return self.at_least
        # The first calls of a warm-up are slower than those that are timed.
        quickest = min((min(times) for times in warmed.values() if times), default=0.0)
        return max(self.at_least, math.ceil(self.seconds / quickest)) if quickest > 0 else None


def _rounds(
    functions: Mapping[str, Callable[[], object]],
    rounds: _Rounds,
    description: str | None = None,
    expected: int | None = None,
) -> dict[str, list[float]]:
    nanoseconds: dict[str, list[int]] = {name: [] for name in functions}
    spent = dict.fromkeys(functions, 0)
    bar = progress_bar(
        rounds.until_enough(spent),
        description or "",
        unit="round",
        total=expected,
        show=description is not None,
    )
    for _ in bar:
        for name, function in functions.items():
            if rounds.pause_seconds:
                time.sleep(rounds.pause_seconds)
            start = time.perf_counter_ns()
            function()
            elapsed = time.perf_counter_ns() - start
            nanoseconds[name].append(elapsed)
            spent[name] += elapsed
    return {name: [1e-9 * elapsed for elapsed in times] for name, times in nanoseconds.items()}
