"""Tables of a run's estimate: before the run, and beside the times that its stages took."""

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
    MEASURED: "from a few steps on random images of the true size",
    COMPUTED: "multiply-accumulates and values by the measured rates of this machine",
    AT_MOST: "of the most expensive network that the search could find",
    TYPICAL: "computed, of a network of median work of those that the search could find",
    ASSUMED: "arithmetic alone",
}


@dataclasses.dataclass(frozen=True)
class StageEstimate:
    """Time, memory and disk of one stage.

    Attributes:
        name: Of the stage.
        basis: `MEASURED`, `COMPUTED`, `AT_MOST`, `TYPICAL` or `ASSUMED`, explained below a table.
        seconds: Time.
        disk_bytes: Space in the workdir, at its greatest.
        steps: Steps of training, or rows of a table.
        step_seconds: Time of one.
        memory_bytes: Greatest memory of the process; `None` if it is not known.
        gpu_bytes: Greatest memory of the GPU; `None` without one.
        shortage: Why its few steps did not fit; `None` if they did or were not run.
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
    """The unfinished stages of a run in their order, and the memory and disk that are free."""

    stages: tuple[StageEstimate, ...]
    free_memory_bytes: int
    free_disk_bytes: int

    @property
    def disk_bytes(self) -> int:
        """Space of all stages."""
        return sum(stage.disk_bytes for stage in self.stages)

    def table(self) -> str:
        """The estimate for people to read."""
        if not self.stages:
            return "Every stage is finished; there is nothing to estimate."
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
        return f"{_table(rows)}\n\nFree: {free[0]} of memory, {free[1]} of disk.\n{legend}"


@dataclasses.dataclass(frozen=True)
class StageTime:
    """Estimated and taken time of a stage; `taken_seconds` is `None` until it has ended."""

    name: str
    basis: str
    estimated_seconds: float
    taken_seconds: float | None = None


class StageTimes:
    """Times of a run's stages, kept in the file of its estimate.

    Args:
        file: `estimate.json` of the run, as `estimate_run` wrote it; it is read once.
    """

    def __init__(self, file: pathlib.Path):
        self.file = file
        self._content = read_json(file)
        self._stages = read_times(self._content)

    def ended(self, name: str, seconds: float) -> None:
        """Records that stage `name` took `seconds`, and logs what remains.

        A stage without an estimate changes nothing. A file that cannot be written is a warning:
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
            logging.warning("The time of %s is not kept in %s: %s", name, self.file, error)
        sentence = f"{name} took {duration(seconds)}, estimated {duration(now.estimated_seconds)}"
        left = [each.estimated_seconds for each in self._stages if each.taken_seconds is None]
        if left:
            # A machine that is slow is so for all.
            rest = sum(left) * (_ratio(*_sums(self._stages)) or 1.0)
            sentence += f"; about {duration(rest)} remain"
        logging.info("%s.", sentence)

    def table(self) -> str:
        """Estimated and taken time of every stage that has ended; empty without one."""
        ended = [each for each in self._stages if each.taken_seconds is not None]
        total = StageTime("total", "", *_sums(ended))
        rows = [
            {
                "stage": each.name,
                "basis": each.basis,
                "estimated": duration(each.estimated_seconds),
                "taken": duration(each.taken_seconds or 0.0),
                "taken/estimated": f"{_ratio(each.estimated_seconds, each.taken_seconds):.2f}",
            }
            for each in (*ended, total)
        ]
        return _table(rows) if ended else ""


def read_times(content: Mapping[str, Any]) -> list[StageTime]:
    """The times in the content of `estimate.json`; none where it is of an earlier version.

    Raises:
        KeyError, TypeError or ValueError: They are not times.
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
    """Bytes for people: `7.50 GB`; a GB is 1e9 bytes."""
    return None if count is None else f"{count / 1e9:.2f} GB"


def _sums(stages: Sequence[StageTime]) -> tuple[float, float]:
    """Estimated and taken time of the stages that have ended."""
    times = ((each.estimated_seconds, each.taken_seconds) for each in stages)
    ended = [(estimated, taken) for estimated, taken in times if taken is not None]
    return sum(estimated for estimated, _ in ended), sum(taken for _, taken in ended)


def _ratio(estimated: float, taken: float | None) -> float:
    return taken / estimated if estimated and taken else 0.0


def _table(rows: Sequence[Mapping[str, str | None]]) -> str:
    return text_table(list(rows[0]), [[cell or "" for cell in row.values()] for row in rows])
