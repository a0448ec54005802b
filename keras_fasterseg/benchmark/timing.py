"""Timing of calls: warm-up, then calls until their number and duration suffice."""

import collections
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
    """Times `function` until the number and the total duration of its calls suffice.

    Args:
        function: Function to time. It must not return before its work on the device is done.
        warmup: Minimum number of untimed calls beforehand.
        warmup_seconds: Minimum duration of the untimed calls.
        min_repetitions: Minimum number of timed calls.
        min_seconds: Minimum total duration of the timed calls.

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
    settle_seconds: float = 0.0,
    description: str | None = None,
) -> dict[str, list[float]]:
    """Times functions in rounds of one call each, so that disturbances affect all of them alike.

    Every round starts with the next function, so that none always follows the same one.

    Worker threads of some runtimes keep spinning for milliseconds after a call returns and would
    occupy the cores of the next function; the pause prevents that. After another function and a
    pause, however, caches are cold and threads asleep, unlike in steady use. A call of a few
    milliseconds then takes up to twice as long; the untimed calls before each timed one prevent
    that.

    Args:
        functions: Functions to time, by name.
        warmup: Minimum number of untimed rounds beforehand.
        warmup_seconds: Minimum duration of each function's untimed calls.
        min_repetitions: Minimum number of timed rounds.
        min_seconds: Minimum total duration of each function's timed calls.
        pause_seconds: Untimed pause before every turn of a function.
        settle_seconds: Duration of the untimed calls after the pause, at least one; 0: no calls.
        description: Description of a progress bar; `None` shows none.

    Returns:
        The times of each function in seconds, by name, round by round; all have the same number.

    Raises:
        ValueError: `min_repetitions` is below 1 or another argument is negative.
    """
    check_durations(
        warmup, warmup_seconds, min_repetitions, min_seconds, pause_seconds, settle_seconds
    )
    # A single function is already settled, and its own threads disturb it no more than in use.
    between = (pause_seconds, settle_seconds) if len(functions) > 1 else (0.0, 0.0)
    warmed = _rounds(functions, _Rounds(warmup, warmup_seconds, *between))
    rounds = _Rounds(min_repetitions, min_seconds, *between)
    return _rounds(functions, rounds, description, rounds.expected(warmed))


def check_durations(
    warmup: int,
    warmup_seconds: float,
    min_repetitions: int,
    min_seconds: float,
    pause_seconds: float = 0.0,
    settle_seconds: float = 0.0,
) -> None:
    """Raises ValueError if `min_repetitions` is below 1 or a duration is negative."""
    if min_repetitions < 1:
        raise ValueError(
            f"`min_repetitions` must be at least 1. Received: min_repetitions={min_repetitions}"
        )
    if min(warmup, warmup_seconds, min_seconds, pause_seconds, settle_seconds) < 0:
        raise ValueError(
            "Durations of warm-up, timing, pause and settling must not be negative. Received: "
            f"warmup={warmup}, warmup_seconds={warmup_seconds}, min_seconds={min_seconds}, "
            f"pause_seconds={pause_seconds}, settle_seconds={settle_seconds}"
        )


@dataclasses.dataclass(frozen=True)
class _Rounds:
    """Minimum number and duration of rounds, and the preparation of each call."""

    at_least: int
    seconds: float
    pause_seconds: float
    settle_seconds: float

    def until_enough(self, spent: Mapping[str, int]) -> Iterator[int]:
        """Counts rounds until their number and the growing nanoseconds `spent` suffice."""
        done = 0
        while done < self.at_least or min(spent.values()) < 1e9 * self.seconds:
            yield done
            done += 1

    def expected(self, warmed: Mapping[str, list[float]]) -> int | None:
        """Estimates the number of rounds from the times of the warm-up; `None` if unknown."""
        if self.seconds == 0:
            return self.at_least
        # The first calls of a warm-up are slower than the timed ones.
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
    names = collections.deque(functions)
    for _ in bar:
        for name in names:
            function = functions[name]
            if rounds.pause_seconds:
                time.sleep(rounds.pause_seconds)
            if rounds.settle_seconds:
                _settle(function, rounds.settle_seconds)
            start = time.perf_counter_ns()
            function()
            elapsed = time.perf_counter_ns() - start
            nanoseconds[name].append(elapsed)
            spent[name] += elapsed
        names.rotate(-1)
    return {name: [1e-9 * elapsed for elapsed in times] for name, times in nanoseconds.items()}


def _settle(function: Callable[[], object], seconds: float) -> None:
    """Calls `function` at least once, until `seconds` have passed."""
    end = time.perf_counter_ns() + 1e9 * seconds
    function()
    while time.perf_counter_ns() < end:
        function()
