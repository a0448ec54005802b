"""Options of a run of the harness, which every piece gets."""

import dataclasses
import importlib.util
import pathlib
import re
import time
from typing import Any

from tools.benchmarks.gpu.machine import describe_machine
from tools.benchmarks.gpu.results import Results
from tools.benchmarks.gpu.timing import Effort

PRESETS = pathlib.Path(__file__).resolve().parents[3] / "flags" / "presets"
FULL_EFFORT = Effort()
REHEARSAL_EFFORT = Effort(repetitions=3, seconds=0.0, warmup_seconds=0.2)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a run.

    Attributes:
        output: Folder of the results.
        deadline: When to stop, in seconds of `time.monotonic()`.
        command: The command line.
        rehearsal: Whether everything is tiny, as a test of the harness without a GPU.
        networks: Names of presets, or genotype files, of the piece `networks`.
        retry: Whether to repeat measurements that failed in an earlier run.
        compile_mode: Mode of torch.compile; `None` is that of the piece.
        pattern: Regular expression of the wanted measurements of the piece `networks`.
        data_dir: Folder of CamVid.
        seeds: Number of seeds of the piece `camvid`.
    """

    output: pathlib.Path
    deadline: float
    command: str
    rehearsal: bool
    networks: tuple[str, ...]
    retry: bool = False
    compile_mode: str | None = None
    pattern: str = ""
    data_dir: str | None = None
    seeds: int = 1

    @property
    def effort(self) -> Effort:
        return REHEARSAL_EFFORT if self.rehearsal else FULL_EFFORT

    def results(self, piece: str, method: dict[str, Any]) -> Results:
        """The results of a piece in the output folder."""
        method = {"rehearsal": self.rehearsal, **method}
        path = self.output / f"{piece}.json"
        results = Results(path, describe_machine(), method, self.command)
        if self.retry:
            results.forget_errors()
        return results

    def wants(self, name: str) -> bool:
        """True if a measurement is wanted."""
        return re.search(self.pattern, name) is not None

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


def installed_backends() -> tuple[str, ...]:
    """Those of Keras's backends JAX and PyTorch that are installed."""
    return tuple(name for name in ("jax", "torch") if importlib.util.find_spec(name) is not None)
