"""Times operations on one runtime, excluding the cost of the runtime call."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from keras_fasterseg.latency.median_interval import median_interval
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import work
from keras_fasterseg.latency.table import LatencyRow

Call = Callable[[], object]

RESOLUTION_MS = 1e-3
"""Smallest latency in a row, in milliseconds; smaller differences of two times are unreliable."""


class OperationRunner(Protocol):
    """Builds graphs of operations on the device. A call returns once its work is done."""

    def copies(self, key: OpKey, copies: int) -> Call:
        """Graph that runs the operation of `key` `copies` times in sequence, on separate inputs."""
        ...

    def empty(self, key: OpKey, copies: int) -> Call:
        """The same graph without operations: same inputs, outputs of the same kind."""
        ...


@dataclass(frozen=True)
class MeasurementSchedule:
    """Warm-up, number of measurements and graph size for timing one operation.

    Attributes:
        warmup: Untimed runs of each graph first; they absorb compilation and cold caches.
        min_repetitions: Minimum number of measurements; their median is the latency.
        max_repetitions: Maximum number of measurements.
        precision: Measuring stops once both ends of the median's 95 % confidence interval are
            within this share of the median.
        copies_ms: Target duration of a graph, in milliseconds. A graph holds enough copies of an
            operation to reach it, estimated from the operations measured before.
        max_copies: Maximum number of copies in a graph.

    Raises:
        ValueError: A number is out of range.
    """

    warmup: int = 3
    min_repetitions: int = 10
    max_repetitions: int = 300
    precision: float = 0.02
    copies_ms: float = 6.0
    max_copies: int = 4

    def __post_init__(self) -> None:
        for name, minimum in (("warmup", 0), ("min_repetitions", 1), ("max_copies", 1)):
            if getattr(self, name) < minimum:
                raise ValueError(
                    f"`{name}` must be at least {minimum}. Received: {name}={getattr(self, name)}"
                )
        if self.max_repetitions < self.min_repetitions:
            raise ValueError(
                "`max_repetitions` must be at least `min_repetitions`. Received: max_repetitions="
                f"{self.max_repetitions}, min_repetitions={self.min_repetitions}"
            )
        if not self.precision > 0 or not self.copies_ms > 0:
            raise ValueError(
                "`precision` and `copies_ms` must be positive. Received: "
                f"precision={self.precision}, copies_ms={self.copies_ms}"
            )


class OperationMeter:
    """Measures the latency of operations at batch size 1.

    A single operation can take less time than the call of its runtime. Therefore one graph runs k
    copies of it and a second graph is the same without operations. One measurement times both in
    succession and divides the difference by k. `serving` is the exception: it is timed once and
    includes the call, because a network is called once per image.

    Operations measured together take turns, measurement by measurement, so that a temporary load
    affects all of them.

    Args:
        runner: Builds the graphs on the device.
        schedule: Warm-up, number of measurements and graph size. Default: `MeasurementSchedule()`.
        clock: Returns the time in seconds, like `time.perf_counter`.
    """

    def __init__(
        self,
        runner: OperationRunner,
        schedule: MeasurementSchedule | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._runner = runner
        self._schedule = schedule or MeasurementSchedule()
        self._clock = clock
        self._macs_per_ms = 0.0
        self._made: dict[OpKey, tuple[tuple[Call, ...], int]] = {}
        self._cut_short: set[OpKey] = set()

    @property
    def cut_short(self) -> frozenset[OpKey]:
        """Operations whose measuring stopped before they reached the required precision."""
        return frozenset(self._cut_short)

    def __call__(
        self, keys: Iterable[OpKey], seconds: float | None = None
    ) -> dict[OpKey, LatencyRow]:
        """Measures the median and the 10th and 90th percentile of each operation, in milliseconds.

        Args:
            keys: The operations; they take turns.
            seconds: Time limit for building the graphs and measuring. After it, each operation gets
                only its minimum number of measurements. None: only the schedule limits measuring.
        """
        end = None if seconds is None else self._clock() + seconds
        keys = tuple(dict.fromkeys(keys))
        # Graphs of the previous call are kept: the same operations may be measured again.
        self._made = graphs = {key: self._made.get(key) or self._graphs(key) for key in keys}
        measured: dict[OpKey, list[float]] = {key: [] for key in graphs}
        for pair, _ in graphs.values():
            for call in pair * self._schedule.warmup:
                call()
        self._cut_short -= set(keys)
        pending = list(graphs)
        while pending:
            for key in pending:
                measured[key].append(self._measure(*graphs[key]))
            late = end is not None and self._clock() >= end
            sure = {key for key in pending if self._suffices(measured[key])}
            if late:
                enough = self._schedule.min_repetitions
                cut = {key for key in pending if len(measured[key]) >= enough} - sure
                self._cut_short |= cut
                sure |= cut
            pending = [key for key in pending if key not in sure]
        rows = {key: _row(milliseconds) for key, milliseconds in measured.items()}
        rates = [work(key).macs / row.latency_ms for key, row in rows.items()]
        self._macs_per_ms = max([self._macs_per_ms, *rates])
        return rows

    def _graphs(self, key: OpKey) -> tuple[tuple[Call, ...], int]:
        """The graphs with and without the operation, and the number of copies in the first."""
        if key.operation == "serving":
            return (self._runner.copies(key, 1),), 1
        copies = self._copies(key)
        return (self._runner.copies(key, copies), self._runner.empty(key, copies)), copies

    def _copies(self, key: OpKey) -> int:
        """Number of copies that take about `copies_ms` at the best MACs/ms measured so far."""
        if self._macs_per_ms == 0:
            return 1
        # A pooling multiplies nothing; it reads its input.
        least = key.height * key.width * key.in_filters
        expected_ms = max(work(key).macs, least) / self._macs_per_ms
        copies = math.ceil(self._schedule.copies_ms / expected_ms)
        return min(max(copies, 1), self._schedule.max_copies)

    def _measure(self, pair: tuple[Call, ...], copies: int) -> float:
        graph, *empty = pair
        return 1000.0 * (self._time(graph) - sum(map(self._time, empty))) / copies

    def _time(self, call: Call) -> float:
        start = self._clock()
        call()
        return self._clock() - start

    def _suffices(self, milliseconds: list[float]) -> bool:
        if len(milliseconds) < self._schedule.min_repetitions:
            return False
        if len(milliseconds) >= self._schedule.max_repetitions:
            return True
        low, high = median_interval(milliseconds)
        median = float(np.median(milliseconds))
        return max(high - median, median - low) <= self._schedule.precision * median


def _row(milliseconds: list[float]) -> LatencyRow:
    p10, median, p90 = (float(value) for value in np.percentile(milliseconds, (10, 50, 90)))
    median = max(median, RESOLUTION_MS)
    return LatencyRow(median, min(p10, median), max(p90, median), len(milliseconds))
