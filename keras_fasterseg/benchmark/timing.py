"""How long a call takes: warm-up, then calls until there are enough of them for long enough."""

import time
from collections.abc import Callable, Mapping


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
) -> dict[str, list[float]]:
    """Times several functions in rounds of one call each, so that all meet the same disturbances.

    Args:
        functions: What to time, by name.
        warmup: Least number of untimed rounds before.
        warmup_seconds: Least duration of the untimed calls of each function.
        min_repetitions: Least number of timed rounds.
        min_seconds: Least sum of the timed calls of each function.

    Returns:
        The times of each function in seconds, by name; the same number for all, round by round.

    Raises:
        ValueError: `min_repetitions` is below 1 or another argument is negative.
    """
    check_durations(warmup, warmup_seconds, min_repetitions, min_seconds)
    _rounds(functions, warmup, warmup_seconds)
    return _rounds(functions, min_repetitions, min_seconds)


def check_durations(
    warmup: int, warmup_seconds: float, min_repetitions: int, min_seconds: float
) -> None:
    """Raises ValueError if there is no repetition to time or a duration is negative."""
    if min_repetitions < 1:
        raise ValueError(
            f"`min_repetitions` must be at least 1. Received: min_repetitions={min_repetitions}"
        )
    if min(warmup, warmup_seconds, min_seconds) < 0:
        raise ValueError(
            "Warm-up and duration must not be negative. Received: "
            f"warmup={warmup}, warmup_seconds={warmup_seconds}, min_seconds={min_seconds}"
        )


def _rounds(
    functions: Mapping[str, Callable[[], object]], min_rounds: int, min_seconds: float
) -> dict[str, list[float]]:
    nanoseconds: dict[str, list[int]] = {name: [] for name in functions}
    spent = dict.fromkeys(functions, 0)
    rounds = 0
    while rounds < min_rounds or min(spent.values()) < 1e9 * min_seconds:
        for name, function in functions.items():
            start = time.perf_counter_ns()
            function()
            elapsed = time.perf_counter_ns() - start
            nanoseconds[name].append(elapsed)
            spent[name] += elapsed
        rounds += 1
    return {name: [1e-9 * elapsed for elapsed in times] for name, times in nanoseconds.items()}
