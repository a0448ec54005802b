"""Estimated and taken time of the stages of a run, and the time that remains."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.jobs.estimation.estimate import Estimate
from keras_fasterseg.run.run import STAGES
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.wording import duration, text_table

TIMES = "times"
# Stages of one kind do the same work: how far the estimate is off for one, it is for the other.
_KINDS = {"pretrain": "supernet", "search": "supernet", TEACHER: "network", STUDENT: "network"}


@dataclasses.dataclass(frozen=True)
class StageTime:
    """The time of a stage.

    Attributes:
        name: Name of the stage.
        basis: That of its estimate.
        estimated_seconds: Its estimate; `None` without one.
        taken_seconds: Its time; `None` until it has ended.
    """

    name: str
    basis: str
    estimated_seconds: float | None
    taken_seconds: float | None = None


def remaining_seconds(stages: Sequence[StageTime]) -> float:
    """Time of the stages that have not ended.

    The estimate of a stage is multiplied by the time over the estimate of all ended stages of its
    kind: pretrain and search, teacher and student. Before one of its kind has ended, all ended
    stages stand for it: a machine that is slow is so for all. Without an estimate it counts 0.
    """
    seconds = 0.0
    for stage in stages:
        if stage.taken_seconds is None:
            kind = [each for each in stages if _kind(each) == _kind(stage)]
            ratios = (_ratio(kind), _ratio(stages), 1.0)
            ratio = next(each for each in ratios if each is not None)
            seconds += (stage.estimated_seconds or 0.0) * ratio
    return seconds


def times_table(stages: Sequence[StageTime]) -> str:
    """Estimated and taken time of every stage that has ended, for people; empty without one."""
    ended = [each for each in stages if each.taken_seconds is not None]
    if not ended:
        return ""
    rows = [
        [each.name, each.basis, *_shown([each], each.estimated_seconds is not None)]
        for each in ended
    ]
    known = all(each.estimated_seconds is not None for each in ended)
    rows.append(["total", "", *_shown(ended, known)])
    headers = ["stage", "basis", "estimated", "taken", "taken/estimated"]
    return text_table(headers, rows, "ll")


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

        A stage without a row is none of the estimate's and changes nothing. A file that cannot be
        written is a warning: the stage itself has succeeded.
        """
        stage = next((each for each in self._stages if each.name == name), None)
        if stage is None:
            return
        now = dataclasses.replace(stage, taken_seconds=seconds)
        self._stages = [now if each is stage else each for each in self._stages]
        rows = [dataclasses.asdict(each) for each in self._stages]
        try:
            write_json(self.file, {**self._content, TIMES: rows})
        except (OSError, ValueError, TypeError) as error:
            logging.warning("The time of %s is not kept in %s: %s", name, self.file, error)
        logging.info("%s", _sentence(now, self._stages))

    def table(self) -> str:
        """See `times_table`."""
        return times_table(self._stages)


def read_times(content: Mapping[str, Any]) -> list[StageTime]:
    """The times in the content of `estimate.json`; none where it is of an earlier version."""
    return [StageTime(**row) for row in content.get(TIMES, ())]


def continued_times(before: Sequence[StageTime], estimate: Estimate) -> list[StageTime]:
    """The stages of `estimate` after those of `before` that have ended and are not among them."""
    stages = [each for each in estimate.stages if each.name in STAGES]
    rows = [StageTime(each.name, each.basis, each.seconds) for each in stages]
    names = {row.name for row in rows}
    ended = [each for each in before if each.taken_seconds is not None and each.name not in names]
    return [*ended, *rows]


def _kind(stage: StageTime) -> str:
    return _KINDS.get(stage.name, stage.name)


def _ratio(stages: Sequence[StageTime]) -> float | None:
    """Time of the ended ones over their estimates; `None` if that is not known."""
    pairs = [
        (each.estimated_seconds, each.taken_seconds)
        for each in stages
        if each.estimated_seconds is not None and each.taken_seconds is not None
    ]
    estimated, taken = (sum(column) for column in zip((0.0, 0.0), *pairs, strict=True))
    return taken / estimated if estimated else None


def _shown(stages: Sequence[StageTime], known: bool) -> list[str]:
    taken = duration(sum(each.taken_seconds or 0.0 for each in stages))
    if not known:
        return ["?", taken, ""]
    estimated = duration(sum(each.estimated_seconds or 0.0 for each in stages))
    ratio = _ratio(stages)
    return [estimated, taken, "" if ratio is None else f"{ratio:.2f}"]


def _sentence(stage: StageTime, stages: Sequence[StageTime]) -> str:
    sentence = f"{stage.name} took {duration(stage.taken_seconds or 0.0)}"
    if stage.estimated_seconds is not None:
        sentence += f", estimated {duration(stage.estimated_seconds)}"
    if any(each.taken_seconds is None and each.estimated_seconds is not None for each in stages):
        sentence += f"; about {duration(remaining_seconds(stages))} remain"
    return sentence + "."
