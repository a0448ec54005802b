"""Fills a latency table group by group, checks the device for drift, and can be interrupted."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from absl import logging

from keras_fasterseg.files import PathLike
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import work
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import TableMetadata
from keras_fasterseg.progress import progress_bar


class Meter(Protocol):
    """Measures operations in turns; an `OperationMeter`."""

    def __call__(self, keys: Iterable[OpKey], seconds: float | None) -> dict[OpKey, LatencyRow]:
        """Returns a row for each key; after `seconds`, takes only the required measurements."""
        ...


@dataclass(frozen=True)
class ProfileSchedule:
    """Time budget and grouping for filling a table.

    Attributes:
        time_budget_s: Time budget for all missing rows, in seconds; None: unlimited.
        group: Number of operations measured in turns, together with the pilot.
        max_drift: Maximum drift, as a share. Every group measures the pilot again; if its latency
            differs from the usual one by more than this share, the group is measured again.
        attempts: Maximum measurements of a group; the one with the least drift is used.

    Raises:
        ValueError: A number is out of range.
    """

    time_budget_s: float | None = None
    group: int = 8
    max_drift: float = 0.05
    attempts: int = 3

    def __post_init__(self) -> None:
        if self.time_budget_s is not None and not self.time_budget_s > 0:
            raise ValueError(
                f"`time_budget_s` must be positive. Received: time_budget_s={self.time_budget_s}"
            )
        if min(self.group, self.attempts) < 1 or not self.max_drift > 0:
            raise ValueError(
                "`group` and `attempts` must be at least 1 and `max_drift` positive. Received: "
                f"group={self.group}, attempts={self.attempts}, max_drift={self.max_drift}"
            )


def profile(
    keys: Iterable[OpKey],
    measure: Meter,
    metadata: TableMetadata,
    *,
    schedule: ProfileSchedule | None = None,
    partial: LatencyTable | None = None,
    path: PathLike | None = None,
    progress: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> LatencyTable:
    """Measures the operations that are missing from a table.

    Args:
        keys: The required operations; duplicates are measured once.
        measure: Measures a group of operations.
        metadata: Metadata of the table: search space, image size of `keys` and device.
        schedule: Time budget and grouping. Default: `ProfileSchedule()`.
        partial: An earlier table with the same metadata, for example from an interrupted run. All
            its rows are kept, including those not in `keys`, and are not measured again. Its
            calibration is dropped if rows are added, because it was fitted to other rows.
        path: File for the table, written after every group. None: the table is not saved.
        progress: Whether to show a progress bar.
        clock: Returns the time in seconds.

    Returns:
        The table with all of `keys`.

    Raises:
        ValueError: `partial` has other metadata: another device, image size or search space.
    """
    schedule = schedule or ProfileSchedule()
    if partial is not None and partial.metadata != metadata:
        raise ValueError(
            "A table can only be continued with the same device, image size and search space. "
            f"Expected {metadata}, received a table of {partial.metadata}. Write to another file."
        )
    keys = tuple(dict.fromkeys(keys))
    rows = dict(partial.measured if partial is not None else {})
    pending = _by_input(LatencyTable(rows, metadata).missing(keys))
    if not pending:
        return partial or LatencyTable(rows, metadata)
    pilot = pilot_key(keys)
    kept = rows.get(pilot)
    pending = [key for key in pending if key != pilot]
    budget = _Budget(schedule.time_budget_s, len(pending), clock)
    groups: list[tuple[list[OpKey], LatencyRow]] = []

    def measured(group: list[OpKey]) -> dict[OpKey, LatencyRow]:
        return _measure_group([pilot, *group], _usual(kept, groups), measure, schedule, budget)

    def save(found: dict[OpKey, LatencyRow]) -> None:
        rows.update(found)
        usual = kept or _usual(None, groups)
        if usual is not None:
            rows[pilot] = usual
        if path is not None:
            LatencyTable(rows, metadata).save(path)

    bar = progress_bar(None, "measuring operations", unit="op", show=progress, total=len(pending))
    with bar:
        # If the pilot alone is missing, an empty group measures it.
        while pending or pilot not in rows:
            group, pending = pending[: schedule.group], pending[schedule.group :]
            begin = clock()
            found = measured(group)
            groups.append((group, found[pilot]))
            save(found)
            bar.update(len(group))
            # The first group's time includes the start of the runtime.
            if len(groups) == 2 and pending:
                _announce((clock() - begin) / len(group), len(pending), budget)
        # The usual latency is known only now; the first groups were compared with few others.
        for index, (group, row) in enumerate(groups):
            drift = abs(_drift(row, _usual(kept, groups)))
            if drift > schedule.max_drift and not budget.spent:
                budget.add(len(group))
                found = measured(group)
                if abs(_drift(found[pilot], _usual(kept, groups))) < drift:
                    groups[index] = group, found[pilot]
                    save(found)
    usual = _usual(kept, groups)
    _warn_of_drift([_drift(row, usual) for _, row in groups], pilot, schedule.max_drift)
    return LatencyTable(rows, metadata)


def pilot_key(keys: Sequence[OpKey]) -> OpKey:
    """Operation whose latency reveals a change of the device.

    About a quarter of the operations have more work: it is long enough to be measured precisely,
    but not the longest.
    """
    by_work = sorted(keys, key=lambda key: (work(key).macs, key))
    return by_work[3 * len(by_work) // 4]


class _Budget:
    """Remaining time, divided among the remaining operations."""

    def __init__(self, seconds: float | None, operations: int, clock: Callable[[], float]):
        self._seconds = seconds
        self._left = operations
        self._clock = clock
        self._start = clock()

    def share(self, operations: int) -> float | None:
        """Seconds for this number of the remaining operations; None: unlimited."""
        if self.left is None:
            return None
        left = max(0.0, self.left)
        # A group that consists of the pilot alone gets a share too.
        share = left * max(operations, 1) / max(self._left, operations, 1)
        self._left -= operations
        return share

    @property
    def left(self) -> float | None:
        """Remaining seconds, negative once the budget is spent; None: unlimited."""
        return None if self._seconds is None else self._seconds - (self._clock() - self._start)

    def add(self, operations: int) -> None:
        """Adds operations that must be measured again."""
        self._left += operations

    @property
    def spent(self) -> bool:
        return self.left is not None and self.left <= 0


def _announce(seconds: float, operations: int, budget: _Budget) -> None:
    """Logs the expected time of the remaining operations, at `seconds` per operation."""
    minutes = seconds * operations / 60
    if budget.left is None or seconds * operations <= budget.left:
        logging.info("%d operations remain: about %.1f minutes.", operations, minutes)
        return
    logging.warning(
        "The time budget is too short: an operation takes %.2g s to build and to measure the "
        "required number of times. The %d remaining operations need about %.1f minutes, but only "
        "%.1f remain; each gets its minimum number of measurements, whatever its precision.",
        seconds,
        operations,
        minutes,
        max(0.0, budget.left) / 60,
    )


def _usual(
    kept: LatencyRow | None, groups: Sequence[tuple[list[OpKey], LatencyRow]]
) -> LatencyRow | None:
    """The pilot's row with the median latency, over an earlier run and all groups so far.

    Next to other operations the pilot takes longer than alone, where its weights stay cached.
    """
    pilots = [kept] if kept is not None else []
    pilots += [row for _, row in groups]
    pilots.sort(key=lambda row: row.latency_ms)
    return pilots[(len(pilots) - 1) // 2] if pilots else None


def _by_input(keys: Sequence[OpKey]) -> list[OpKey]:
    """Sorts operations by input shape: equal inputs share the graph without operations."""
    return sorted(keys, key=lambda key: (key.height, key.width, key.in_filters))


def _measure_group(
    group: Sequence[OpKey],
    usual: LatencyRow | None,
    measure: Meter,
    schedule: ProfileSchedule,
    budget: _Budget,
) -> dict[OpKey, LatencyRow]:
    """Measures a group that starts with the pilot; returns the attempt with the least drift."""
    seconds = budget.share(len(group) - 1)
    attempts = []
    for _ in range(schedule.attempts):
        attempts.append(measure(group, seconds))
        if abs(_drift(attempts[-1][group[0]], usual)) <= schedule.max_drift or budget.spent:
            break
    return min(attempts, key=lambda rows: abs(_drift(rows[group[0]], usual)))


def _drift(pilot: LatencyRow, usual: LatencyRow | None) -> float:
    """Relative difference of the pilot from its usual latency; 0 if within its own spread."""
    if usual is None or pilot.p10_ms <= usual.latency_ms <= pilot.p90_ms:
        return 0.0
    return pilot.latency_ms / usual.latency_ms - 1.0


def _warn_of_drift(drifts: Sequence[float], pilot: OpKey, max_drift: float) -> None:
    bad = [drift for drift in drifts if abs(drift) > max_drift]
    if bad:
        logging.warning(
            "In %d of %d groups the latency of the operation %s differed from its usual latency by "
            "up to %+.0f %%, even after repeated measurements. Likely causes: other programs, heat "
            "or a changed clock rate. Measure on an idle device.",
            len(bad),
            len(drifts),
            pilot,
            100 * max(bad, key=abs),
        )
