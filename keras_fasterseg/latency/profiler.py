"""Fills a latency table group by group, watches that the device stays the same, and can stop."""

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
        """A row for each of `keys`; after `seconds` no more is measured than there must be."""
        ...


@dataclass(frozen=True)
class ProfileSchedule:
    """Schedule of filling a table.

    Attributes:
        time_budget_s: Seconds that the missing rows may take in all; None: as long as they need.
        group: Operations that are measured in turns with one another and with the pilot.
        max_drift: Where the pilot, an operation that every group measures again, differs from what
            it usually takes by more than this share, so is the group.
        attempts: Measurements of a group, of which the one of the least drift is taken.

    Raises:
        ValueError: A number is out of its range.
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
    """Measures the operations that a table does not have yet.

    Args:
        keys: The operations that are needed; repeated ones are measured once.
        measure: Measures a group of operations.
        metadata: Header of the table: the device and the image size of `keys`.
        schedule: How the table is filled.
        partial: An earlier table of the same header, as an interrupted run left it. Its rows are
            kept, also those that `keys` does not name, and not measured again. If rows are added,
            its calibration is not: it was fitted to other rows.
        path: Where to save the table, after every group. Nothing is saved if it is None.
        progress: Whether to show a progress bar.
        clock: Seconds that pass.

    Returns:
        The table with all of `keys`.

    Raises:
        ValueError: `partial` holds for another device, image size or space.
    """
    schedule = schedule or ProfileSchedule()
    if partial is not None and partial.metadata != metadata:
        raise ValueError(
            "A table is continued only on the device and for the images that it was begun with: "
            f"expected {metadata}, received a table of {partial.metadata}. Write to another file."
        )
    keys = tuple(dict.fromkeys(keys))
    rows = dict(partial or {})
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
            # What the first group takes is also to start the runtime.
            if len(groups) == 2 and pending:
                _announce((clock() - begin) / len(group), len(pending), budget)
        # Only now is it known what is usual; the first groups were compared with few others.
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
    """The operation whose latency tells whether the device is as it was.

    A quarter of all has more work than it: long enough to be known well, not the longest.
    """
    by_work = sorted(keys, key=lambda key: (work(key).macs, key))
    return by_work[3 * len(by_work) // 4]


class _Budget:
    """Time that is left, divided among the operations that are left."""

    def __init__(self, seconds: float | None, operations: int, clock: Callable[[], float]):
        self._seconds = seconds
        self._left = operations
        self._clock = clock
        self._start = clock()

    def share(self, operations: int) -> float | None:
        """Seconds for so many of the operations that are left."""
        if self.left is None:
            return None
        left = max(0.0, self.left)
        # A group of the pilot alone takes its share too.
        share = left * max(operations, 1) / max(self._left, operations, 1)
        self._left -= operations
        return share

    @property
    def left(self) -> float | None:
        """Seconds until it is spent; None: there is no end."""
        return None if self._seconds is None else self._seconds - (self._clock() - self._start)

    def add(self, operations: int) -> None:
        """So many are to be measured once more."""
        self._left += operations

    @property
    def spent(self) -> bool:
        return self.left is not None and self.left <= 0


def _announce(seconds: float, operations: int, budget: _Budget) -> None:
    """Says how long the operations that are left take, at so many seconds each."""
    minutes = seconds * operations / 60
    if budget.left is None or seconds * operations <= budget.left:
        logging.info("%d operations are left: about %.1f minutes.", operations, minutes)
        return
    logging.warning(
        "The time budget is too short: to make an operation's graphs and to run them as often as "
        "they must takes %.2g s. The %d operations that are left take about %.1f minutes, and %.1f "
        "are left; each is measured as often as it must, whatever its precision.",
        seconds,
        operations,
        minutes,
        max(0.0, budget.left) / 60,
    )


def _usual(
    kept: LatencyRow | None, groups: Sequence[tuple[list[OpKey], LatencyRow]]
) -> LatencyRow | None:
    """The pilot's row of the median latency, of an earlier run and of all groups so far.

    Beside others it takes longer than alone, where its weights stay in the caches.
    """
    pilots = [kept] if kept is not None else []
    pilots += [row for _, row in groups]
    pilots.sort(key=lambda row: row.latency_ms)
    return pilots[(len(pilots) - 1) // 2] if pilots else None


def _by_input(keys: Sequence[OpKey]) -> list[OpKey]:
    """Operations of one input beside one another: their graphs without operations are the same."""
    return sorted(keys, key=lambda key: (key.height, key.width, key.in_filters))


def _measure_group(
    group: Sequence[OpKey],
    usual: LatencyRow | None,
    measure: Meter,
    schedule: ProfileSchedule,
    budget: _Budget,
) -> dict[OpKey, LatencyRow]:
    """The rows of a group whose first operation is the pilot; the attempt of its least drift."""
    seconds = budget.share(len(group) - 1)
    attempts = []
    for _ in range(schedule.attempts):
        attempts.append(measure(group, seconds))
        if abs(_drift(attempts[-1][group[0]], usual)) <= schedule.max_drift or budget.spent:
            break
    return min(attempts, key=lambda rows: abs(_drift(rows[group[0]], usual)))


def _drift(pilot: LatencyRow, usual: LatencyRow | None) -> float:
    """By what share the pilot differs from usual; 0 where its own spread explains that."""
    if usual is None or pilot.p10_ms <= usual.latency_ms <= pilot.p90_ms:
        return 0.0
    return pilot.latency_ms / usual.latency_ms - 1.0


def _warn_of_drift(drifts: Sequence[float], pilot: OpKey, max_drift: float) -> None:
    bad = [drift for drift in drifts if abs(drift) > max_drift]
    if bad:
        logging.warning(
            "In %d of %d groups the time of the operation %s differed from the usual by up to "
            "%+.0f %%, however often they were measured: other programs, heat or a changed clock "
            "rate. Measure on an idle device.",
            len(bad),
            len(drifts),
            pilot,
            100 * max(bad, key=abs),
        )
