"""Load by other programs on the cores of this process, which would distort measurements.

The load average does not measure it: it includes this process, and it takes minutes to forget a
finished program, so that a second measurement would have to wait for the first to be forgotten.
"""

import contextlib
import os
import time
from typing import Any

import psutil
from absl import logging

MAX_LOAD = 0.5
"""Load by other programs, per core, above which measuring needs explicit permission."""

_SECONDS = 0.5
_ATTEMPTS = 3
# Intervals of only a few ticks of the kernel's clock are too inaccurate.
_LEAST_SECONDS = 0.1
_IDLE = ("idle", "iowait")
# Linux counts guests in `user` and `nice` too.
_COUNTED_TWICE = ("guest", "guest_nice")


class LoadMeter:
    """Measures the load by other programs on this process's cores, from its construction on.

    Time that a virtual machine's host gives to other machines counts. Time of this process and its
    children does not.
    """

    def __init__(self) -> None:
        self._cores = psutil.Process().cpu_affinity() if hasattr(os, "sched_getaffinity") else None
        self._start = self._read()

    def load(self) -> float | None:
        """Returns the busy share per core, from 0 to 1; None if unknown."""
        (start, before, cores), (end, after, _) = self._start, self._read()
        if not cores or end - start < _LEAST_SECONDS:
            return None
        share = (after - before) / (cores * (end - start))
        return round(min(max(share, 0.0), 1.0), 3)

    def _read(self) -> tuple[float, float, int]:
        """Returns the clock, the core seconds of other processes, and the number of cores."""
        with contextlib.suppress(OSError, psutil.Error, NotImplementedError):
            times = psutil.cpu_times(percpu=True)
            if self._cores is not None:
                times = [times[core] for core in self._cores if core < len(times)]
            return time.monotonic(), sum(map(_busy, times)) - _own_seconds(), len(times)
        return time.monotonic(), 0.0, 0


def other_load(seconds: float = _SECONDS) -> float | None:
    """Returns the share of this process's cores that other programs use in the next `seconds`."""
    meter = LoadMeter()
    time.sleep(seconds)
    return meter.load()


def check_load(allow: bool) -> None:
    """Checks the load by other programs; it is too high only if three attempts find it so.

    Args:
        allow: Whether a load above `MAX_LOAD` is only a warning.

    Raises:
        ValueError: The load is above `MAX_LOAD`, and `allow` is false.
    """
    loads = []
    for _ in range(_ATTEMPTS):
        loads.append(other_load())
        if loads[-1] is None or loads[-1] <= MAX_LOAD:
            return
    text = (
        f"Other programs keep the cores of this process busy {100 * min(loads):.0f} % of the time, "
        f"more than {100 * MAX_LOAD:.0f} %, which distorts measurements"
    )
    if not allow:
        raise ValueError(f"{text}: stop them, or measure anyway with --allow_load.")
    logging.warning("%s; measured speeds are lower than the device can reach.", text)


def _busy(times: Any) -> float:
    idle = sum(getattr(times, name, 0.0) for name in (*_IDLE, *_COUNTED_TWICE))
    return sum(times) - idle


def _own_seconds() -> float:
    process = psutil.Process()
    own = process.cpu_times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        # A child may end meanwhile; its time is then counted above.
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            seconds += times.user + times.system
    return seconds
