"""Resources that this process may use: cores, processor time and memory."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator

import psutil
from absl import logging

_ROOT = pathlib.Path("/")


@dataclasses.dataclass(frozen=True)
class AvailableCores:
    """Cores and threads that a process may use at once.

    Attributes:
        logical: Number of logical cores (with hyperthreads) that the process may run on.
        physical: Number of physical cores that it may run on.
        quota: Processor time limit of its control groups, in cores, as set by `docker run --cpus`;
            None if it has no limit.
    """

    logical: int
    physical: int
    quota: float | None = None

    @property
    def threads(self) -> int:
        """Number of threads that can run all the time: one per logical core, within the quota."""
        return self._within_quota(self.logical)

    @property
    def physical_threads(self) -> int:
        """Number of threads that can run all the time: one per physical core, within the quota."""
        return self._within_quota(self.physical)

    @property
    def reading_threads(self) -> int:
        """Number of threads for reading and decoding files; some of them wait for the disk.

        The same number as the default of Python's thread pools on a machine with these cores.
        """
        return min(32, self.threads + 4)

    def _within_quota(self, cores: int) -> int:
        # One thread too many uses up the quota early; all then wait for the next period.
        return cores if self.quota is None else max(1, min(cores, int(self.quota)))

    def __str__(self) -> str:
        quota = "no CPU quota" if self.quota is None else f"a CPU quota of {self.quota:g}"
        return f"{self.logical} core{'s' * (self.logical != 1)}, {quota}"


def available_cores(root: pathlib.Path = _ROOT) -> AvailableCores:
    """Returns the cores and threads that this process may use now.

    Args:
        root: The folder that contains `proc` and `sys`.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = os.sched_getaffinity(0)
    else:
        cores = set(range(psutil.cpu_count() or 1))
    return AvailableCores(len(cores), physical_cores(cores, root), cpu_quota(root))


def physical_cores(cores: set[int], root: pathlib.Path = _ROOT) -> int:
    """Counts the physical cores that the logical `cores` belong to."""
    siblings = {_siblings(core, root) for core in cores}
    if None not in siblings:
        return len(siblings)
    return min(len(cores), psutil.cpu_count(logical=False) or len(cores))


def cpu_quota(root: pathlib.Path = _ROOT) -> float | None:
    """Returns the smallest quota of this process's control groups and their parents, in cores.

    Supports versions 1 and 2 of Linux's control groups. None means no limit or no such group.
    """
    quotas = [quota for group in _groups("cpu", root) if (quota := _group_quota(group)) is not None]
    return min(quotas, default=None)


def available_memory(root: pathlib.Path = _ROOT) -> int:
    """Returns the bytes available without swapping, within the limits of control groups."""
    left = (_group_memory(group) for group in _groups("memory", root))
    return min([psutil.virtual_memory().available, *(each for each in left if each is not None)])


def check_threads(threads: int | None) -> None:
    """Warns, once per process, if more `threads` are requested than can run at once.

    Raises:
        ValueError: `threads` is below 1.
    """
    if threads is None:
        return
    if threads < 1:
        raise ValueError(f"`threads` must be at least 1 or None. Received: threads={threads}")
    available = available_cores()
    if threads > available.threads:
        logging.log_first_n(
            logging.WARNING,
            "%d threads are more than this process can run at once (%s) and will wait for one "
            "another; set --threads to at most %d.",
            1,
            threads,
            available,
            available.threads,
        )


def _siblings(core: int, root: pathlib.Path) -> str | None:
    return _text(root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")


def _groups(controller: str, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the folders of the control groups that limit "cpu" or "memory", outer ones first."""
    paths = {}
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or controller in controllers.split(","):
            paths["cgroup2" if number == "0" else "cgroup"] = path
    for line in (_text(root / "proc/self/mountinfo") or "").splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind not in paths or (kind == "cgroup" and controller not in options.split(",")):
            continue
        shown, point = mount.split(" ")[3:5]
        folder = root / point.lstrip("/")
        yield folder
        # A container sees its own group as the root, whatever the path.
        inner = paths[kind].removeprefix(shown.rstrip("/"))
        for part in pathlib.PurePosixPath(inner).parts:
            if part not in ("/", ".."):
                folder /= part
                yield folder


def _group_quota(folder: pathlib.Path) -> float | None:
    """Returns the quota of one group in cores; None if it has none."""
    both = (_text(folder / "cpu.max") or "").split()
    if not both:
        both = [_text(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    with contextlib.suppress(ValueError, ZeroDivisionError):
        quota, period = map(int, both)
        return round(quota / period, 3) if quota > 0 else None
    return None


def _group_memory(folder: pathlib.Path) -> int | None:
    """Returns the bytes that one group has left; None if it has no limit."""
    for *names, reclaimable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(ValueError):
            limit, used = (int(_text(folder / name) or "") for name in names)
            words = (_text(folder / "memory.stat") or "").split()
            # Inactive file pages are reclaimed before any process is killed.
            cached = dict(zip(words[::2], words[1::2], strict=True)).get(reclaimable, 0)
            return max(0, limit - used + int(cached))
    return None


def _text(path: pathlib.Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
