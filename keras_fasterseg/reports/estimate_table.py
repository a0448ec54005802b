"""Tables of a run's estimate: before the run, and compared with the actual times of its stages."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.wording import duration, text_table

MEASURED, COMPUTED, AT_MOST, TYPICAL = "measured", "computed", "at most", "typical"
ASSUMED = "assumed"
_LEGEND = {
    MEASURED: "from a few steps on random images of the actual size",
    COMPUTED: "from multiply-accumulates and values at this machine's measured rates",
    AT_MOST: "for the most expensive network that the search can find",
    TYPICAL: "computed for a network of median work among those that the search can find",
    ASSUMED: "arithmetic only",
}


@dataclasses.dataclass(frozen=True)
class StageEstimate:
    """Time, memory and disk of one stage.

    Attributes:
        name: Name of the stage.
        basis: `MEASURED`, `COMPUTED`, `AT_MOST`, `TYPICAL` or `ASSUMED`, explained below a table.
        seconds: Time in seconds.
        disk_bytes: Peak disk space in the workdir.
        steps: Steps of training, or rows of a latency table.
        step_seconds: Time per step or row.
        memory_bytes: Peak memory of the process; `None` if unknown.
        gpu_bytes: Peak memory of the GPU; `None` without one.
        shortage: Why the measured steps did not fit; `None` if they did or were not run.
    """

    name: str
    basis: str
    seconds: float
    disk_bytes: int
    steps: int | None = None
    step_seconds: float | None = None
    memory_bytes: int | None = None
    gpu_bytes: int | None = None
    shortage: str | None = None


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Estimates of a run's unfinished stages, in order, and the free memory and disk space."""

    stages: tuple[StageEstimate, ...]
    free_memory_bytes: int
    free_disk_bytes: int

    @property
    def disk_bytes(self) -> int:
        """Disk space of all stages."""
        return sum(stage.disk_bytes for stage in self.stages)

    def table(self) -> str:
        """Formats the estimate as a readable table."""
        if not self.stages:
            return "All stages are finished; nothing is left to estimate."
        total = StageEstimate(
            "total",
            "",
            sum(stage.seconds for stage in self.stages),
            self.disk_bytes,
            memory_bytes=max(stage.memory_bytes or 0 for stage in self.stages),
        )
        with_gpu = any(stage.gpu_bytes is not None for stage in self.stages)
        rows = [
            {
                "stage": stage.name,
                "steps": None if stage.steps is None else f"{stage.steps:,}",
                "s/step": None if stage.step_seconds is None else f"{stage.step_seconds:.3g}",
                "time": duration(stage.seconds),
                "peak memory": gigabytes(stage.memory_bytes),
                **({"GPU memory": gigabytes(stage.gpu_bytes)} if with_gpu else {}),
                "disk": gigabytes(stage.disk_bytes),
                "basis": stage.basis,
            }
            for stage in (*self.stages, total)
        ]
        free = [gigabytes(each) for each in (self.free_memory_bytes, self.free_disk_bytes)]
        bases = {stage.basis for stage in self.stages}
        legend = " ".join(f"{basis}: {_LEGEND[basis]}." for basis in _LEGEND if basis in bases)
        return f"{_table(rows)}\n\nFree: {free[0]} memory, {free[1]} disk.\n{legend}"


@dataclasses.dataclass(frozen=True)
class StageTime:
    """Estimated and actual time of a stage; `taken_seconds` is `None` until the stage ends."""

    name: str
    basis: str
    estimated_seconds: float
    taken_seconds: float | None = None


class StageTimes:
    """Times of a run's stages, kept in the file of its estimate.

    Args:
        file: `estimate.json` of the run, written by `estimate_run`; it is read once.
    """

    def __init__(self, file: pathlib.Path):
        self.file = file
        self._content = read_json(file)
        self._stages = read_times(self._content)

    def ended(self, name: str, seconds: float) -> None:
        """Records that stage `name` took `seconds`, and logs the remaining time.

        A stage without an estimate is ignored. If the file cannot be written, a warning is logged:
        the stage itself has succeeded.
        """
        before = {each.name: each for each in self._stages}.get(name)
        if before is None:
            return
        now = dataclasses.replace(before, taken_seconds=seconds)
        self._stages = [now if each is before else each for each in self._stages]
        rows = [dataclasses.asdict(each) for each in self._stages]
        try:
            write_json(self.file, {**self._content, "times": rows})
        except (OSError, ValueError, TypeError) as error:
            logging.warning("The time of %s could not be saved in %s: %s", name, self.file, error)
        sentence = f"{name} took {duration(seconds)}, estimated {duration(now.estimated_seconds)}"
        left = [each.estimated_seconds for each in self._stages if each.taken_seconds is None]
        if left:
            # If finished stages were slower than estimated, the remaining ones will be too.
            rest = sum(left) * (_ratio(*_sums(self._stages)) or 1.0)
            sentence += f"; about {duration(rest)} remain"
        logging.info("%s.", sentence)

    def table(self) -> str:
        """Formats the estimated and actual times of finished stages; empty if none is finished."""
        ended = [each for each in self._stages if each.taken_seconds is not None]
        total = StageTime("total", "", *_sums(ended))
        rows = [
            {
                "stage": each.name,
                "basis": each.basis,
                "estimated": duration(each.estimated_seconds),
                "actual": duration(each.taken_seconds or 0.0),
                "actual/estimated": f"{_ratio(each.estimated_seconds, each.taken_seconds):.2f}",
            }
            for each in (*ended, total)
        ]
        return _table(rows) if ended else ""


def read_times(content: Mapping[str, Any]) -> list[StageTime]:
    """Reads the times from the content of `estimate.json`; earlier versions have none.

    Raises:
        KeyError, TypeError or ValueError: The times are invalid.
    """
    return [
        StageTime(
            row["name"],
            row["basis"],
            float(row["estimated_seconds"]),
            row["taken_seconds"] and float(row["taken_seconds"]),
        )
        for row in content.get("times", ())
    ]


def gigabytes(count: float | None) -> str | None:
    """Formats bytes as `7.50 GB`; a GB is 1e9 bytes."""
    return None if count is None else f"{count / 1e9:.2f} GB"


def _sums(stages: Sequence[StageTime]) -> tuple[float, float]:
    """Returns the estimated and actual total time of the finished stages."""
    times = ((each.estimated_seconds, each.taken_seconds) for each in stages)
    ended = [(estimated, taken) for estimated, taken in times if taken is not None]
    return sum(estimated for estimated, _ in ended), sum(taken for _, taken in ended)


def _ratio(estimated: float, taken: float | None) -> float:
    return taken / estimated if estimated and taken else 0.0


def _table(rows: Sequence[Mapping[str, str | None]]) -> str:
    return text_table(list(rows[0]), [[cell or "" for cell in row.values()] for row in rows])
