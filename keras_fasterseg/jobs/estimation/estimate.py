"""Time, memory and disk of every stage of a run, and the refusal of one that cannot fit."""

import dataclasses
from typing import Any

from absl import logging

from keras_fasterseg.jobs.estimation.machine import gigabytes
from keras_fasterseg.jobs.estimation.probe import ProbeFailure
from keras_fasterseg.wording import duration, text_table

MEASURED = "measured"
AT_MOST = "at most"
COMPUTED = "computed"
TYPICAL = "typical"
ASSUMED = "assumed"

_LEGEND = {
    MEASURED: "from a few steps on random images of the true size",
    AT_MOST: "the same, with the most expensive network that the search could find",
    COMPUTED: "multiply-accumulates and values by the measured rates of this machine",
    TYPICAL: "the same, with a network of median work of those that the search could find",
    ASSUMED: "arithmetic alone",
}
# The search may find a smaller network.
_OF_UNKNOWN_NETWORKS = (AT_MOST, TYPICAL)
# A computed memory may be too large by this factor; below it nothing is refused.
_COMPUTED_MARGIN = 1.5


@dataclasses.dataclass(frozen=True)
class StageEstimate:
    """Time, memory and disk of one stage.

    Attributes:
        name: Of the stage.
        basis: `MEASURED`, `AT_MOST`, `COMPUTED`, `TYPICAL` or `ASSUMED`: see the last lines of
            `Estimate.table`.
        disk_bytes: Space in the workdir, at its greatest.
        seconds: Time; `None` if it is not known.
        steps: Steps of training, or rows of a table.
        step_seconds: Time of one.
        memory_bytes: Greatest memory of the process; `None` if it is not known.
        gpu_bytes: Greatest memory of the GPU; `None` without one.
        failure: Why it could not be measured.
    """

    name: str
    basis: str
    disk_bytes: int
    seconds: float | None = None
    steps: int | None = None
    step_seconds: float | None = None
    memory_bytes: int | None = None
    gpu_bytes: int | None = None
    failure: ProbeFailure | None = None


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The unfinished stages of a run, and the memory and disk that the machine has.

    Attributes:
        stages: In the order in which they run.
        free_memory_bytes: Memory that the run can take.
        free_disk_bytes: Space that it can take.
    """

    stages: tuple[StageEstimate, ...]
    free_memory_bytes: int
    free_disk_bytes: int

    @property
    def seconds(self) -> float:
        """Time of all stages whose time is known."""
        return sum(stage.seconds or 0.0 for stage in self.stages)

    @property
    def memory_bytes(self) -> int:
        """Memory of the stage that takes most, of those that are known."""
        return max((stage.memory_bytes or 0 for stage in self.stages), default=0)

    @property
    def disk_bytes(self) -> int:
        """Space of all stages."""
        return sum(stage.disk_bytes for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """The fields as values fit for JSON."""
        return dataclasses.asdict(self)

    def table(self) -> str:
        """The estimate for people to read."""
        if not self.stages:
            return "Every stage is finished; there is nothing to estimate."
        with_gpu = any(stage.gpu_bytes is not None for stage in self.stages)
        rows = [_row(stage, with_gpu) for stage in self.stages]
        unknown = any(stage.seconds is None for stage in self.stages)
        rows.append(
            [
                "total",
                "",
                "",
                f"over {duration(self.seconds)}" if unknown else duration(self.seconds),
                gigabytes(self.memory_bytes),
                *([""] if with_gpu else []),
                gigabytes(self.disk_bytes),
                "",
            ]
        )
        headers = ["stage", "steps", "s/step", "time", "peak memory"]
        headers += [*(["GPU memory"] if with_gpu else []), "disk", "basis"]
        shown = text_table(headers, rows, "l" + "r" * (len(headers) - 2) + "l")
        free = (
            f"Free: {gigabytes(self.free_memory_bytes)} of memory, "
            f"{gigabytes(self.free_disk_bytes)} of disk."
        )
        failures = [
            f"{stage.name} is not measured: {stage.failure.reason}."
            for stage in self.stages
            if stage.failure is not None
        ]
        bases = {stage.basis for stage in self.stages}
        legend = [f"{basis}: {text}." for basis, text in _LEGEND.items() if basis in bases]
        legend.append("Evaluations: a third of a training step for the same pixels.")
        return "\n".join([shown, "", *failures, free, " ".join(legend)])


def check_fits(estimate: Estimate, force: bool = False) -> None:
    """Refuses a run that cannot fit this machine.

    Where the network is not known yet (`AT_MOST`, `TYPICAL`) nothing is refused, nor is a
    `COMPUTED` memory that is too large by less than its margin. They are warnings, and so is
    everything with `force`.

    Raises:
        ValueError: A stage needs more memory than there is.
        OSError: The stages need more disk than there is.
    """
    refused, doubtful = [], []
    for stage in estimate.stages:
        need = _too_much_memory(stage, estimate.free_memory_bytes)
        if need:
            (doubtful if _is_doubtful(stage, estimate.free_memory_bytes) else refused).append(
                f"{need}; {_remedy(stage.name)}"
            )
    disk = ""
    if estimate.disk_bytes > estimate.free_disk_bytes:
        disk = (
            f"The run needs {gigabytes(estimate.disk_bytes)} of disk, "
            f"{gigabytes(estimate.free_disk_bytes)} are free; choose a workdir on another disk "
            "or make room"
        )
    for sentence in [*doubtful, *((*refused, disk) if force else ())]:
        if sentence:
            logging.warning("%s.", sentence)
    if force:
        return
    if refused:
        raise ValueError(f"{'. '.join(refused)}. --force runs it all the same.")
    if disk:
        raise OSError(f"{disk}. --force runs it all the same.")


def _row(stage: StageEstimate, with_gpu: bool) -> list[str]:
    def shown(value, show) -> str:
        return "?" if value is None else show(value)

    no_steps = stage.steps is None
    return [
        stage.name,
        "" if no_steps else f"{stage.steps:,}",
        "" if no_steps else shown(stage.step_seconds, "{:.3g}".format),
        shown(stage.seconds, duration),
        "" if no_steps else shown(stage.memory_bytes, gigabytes),
        *(["" if stage.gpu_bytes is None else gigabytes(stage.gpu_bytes)] if with_gpu else []),
        gigabytes(stage.disk_bytes),
        stage.basis,
    ]


def _is_doubtful(stage: StageEstimate, free: int) -> bool:
    """True if a stage that needs too much may fit all the same."""
    within = stage.basis == COMPUTED and (stage.memory_bytes or 0) <= _COMPUTED_MARGIN * free
    return within or stage.basis in _OF_UNKNOWN_NETWORKS


def _too_much_memory(stage: StageEstimate, free: int) -> str:
    if stage.failure is not None and stage.failure.kind == "memory":
        return f"The stage {stage.name} does not fit: {stage.failure.reason}"
    if stage.memory_bytes is None or stage.memory_bytes <= free:
        return ""
    return (
        f"The stage {stage.name} needs {gigabytes(stage.memory_bytes)} of memory "
        f"({stage.basis}), {gigabytes(free)} are free"
    )


def _remedy(name: str) -> str:
    if name == "latency":
        return "make --latency_size smaller"
    return f"make --{name}_batch_size or --{name}_crop_size smaller"
