"""The work of other programs on the cores of this process, which would be measured too.

The load average is no measure of that: it counts this process, and it forgets a program that has
ended only after minutes, and so keeps the second of two measurements waiting for the first.
"""

import contextlib
import os
import time
from typing import Any

import psutil
from absl import logging

MAX_LOAD = 0.5
"""Load of others, a core, above which a measurement is not recorded without being asked for."""

_SECONDS = 0.5
_ATTEMPTS = 3
# Shorter than a few ticks of the kernel's clock, nothing is known.
_LEAST_SECONDS = 0.1
_IDLE = ("idle", "iowait")
# Linux counts guests in `user` and `nice` too.
_COUNTED_TWICE = ("guest", "guest_nice")


class LoadMeter:
    """Measures from when it is made how busy others keep the cores of this process.

    Time that the host of a virtual machine gave to other machines counts, the time of this process
    and its children does not.
    """

    def __init__(self) -> None:
        self._cores = psutil.Process().cpu_affinity() if hasattr(os, "sched_getaffinity") else None
        self._start = self._read()

    def load(self) -> float | None:
        """The share of the time of each core, from 0 to 1; None where the system does not tell."""
        (start, before, cores), (end, after, _) = self._start, self._read()
        if not cores or end - start < _LEAST_SECONDS:
            return None
        share = (after - before) / (cores * (end - start))
        return round(min(max(share, 0.0), 1.0), 3)

    def _read(self) -> tuple[float, float, int]:
        """The clock, seconds of the cores in other processes, and how many cores they are."""
        with contextlib.suppress(OSError, psutil.Error, NotImplementedError):
            times = psutil.cpu_times(percpu=True)
            if self._cores is not None:
                times = [times[core] for core in self._cores if core < len(times)]
            return time.monotonic(), sum(map(_busy, times)) - _own_seconds(), len(times)
        return time.monotonic(), 0.0, 0


def other_load(seconds: float = _SECONDS) -> float | None:
    """Share of the next `seconds` in which others keep the cores of this process busy."""
    meter = LoadMeter()
    time.sleep(seconds)
    return meter.load()


def check_load(allow: bool) -> None:
    """Measures how busy others keep the cores, three times before it is found too much.

    Args:
        allow: Whether more than `MAX_LOAD` is a warning and no error.

    Raises:
        ValueError: Others keep them busier, and `allow` is false.
    """
    loads = []
    for _ in range(_ATTEMPTS):
        loads.append(other_load())
        if loads[-1] is None or loads[-1] <= MAX_LOAD:
            return
    text = (
        f"Other programs keep the cores of this process busy {100 * min(loads):.0f} % of the time, "
        f"more than {100 * MAX_LOAD:.0f} %, and would be measured too"
    )
    if not allow:
        raise ValueError(f"{text}: stop them, or measure all the same with --allow_load.")
    logging.warning("%s; what is measured now is slower than the device.", text)


def _busy(times: Any) -> float:
    idle = sum(getattr(times, name, 0.0) for name in (*_IDLE, *_COUNTED_TWICE))
    return sum(times) - idle


def _own_seconds() -> float:
    process = psutil.Process()
    own = process.cpu_times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        # It may end meanwhile, and is then among those above.
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            seconds += times.user + times.system
    return seconds
