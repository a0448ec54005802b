"""How much memory an artefact needs, by a process that does nothing else."""

import dataclasses
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable

from keras_fasterseg.benchmark.scopes import DEFAULT_SCOPE, find_scope
from keras_fasterseg.files import read_json
from keras_fasterseg.runtimes.base import Runner

CALLS = 3
_CHILD = "keras_fasterseg.benchmark.memory_child"
_TIMEOUT_SECONDS = 900


@dataclasses.dataclass(frozen=True)
class MemoryUse:
    """Resident memory of a process that loads an artefact and runs it a few times, in MiB.

    Attributes:
        before_mib: What it had before it opened the artefact, all modules imported.
        peak_mib: The most that it ever had.
        gpu_mib: Its GPU memory after the calls; `None` without a GPU or without nvidia-ml-py.
    """

    before_mib: float
    peak_mib: float
    gpu_mib: float | None = None


@dataclasses.dataclass(frozen=True)
class MemoryTask:
    """What the process shall do.

    Attributes:
        open_runner: Makes the runner; it is pickled, hence a function of a module with arguments
            by `functools.partial`.
        input_size: Height and width of the images.
        batch_size: Images a call.
        scope: Name of the scope whose calls are made.
        calls: How many.
    """

    open_runner: Callable[[], Runner]
    input_size: tuple[int, int]
    batch_size: int = 1
    scope: str = DEFAULT_SCOPE
    calls: int = CALLS


def measure_memory(task: MemoryTask) -> MemoryUse:
    """Carries out `task` in a fresh process and returns the memory that it took.

    Raises:
        RuntimeError: The process failed, as it does where memory is not enough; the message has
            its last line.
        ValueError: There is no such scope.
    """
    find_scope(task.scope)
    with tempfile.TemporaryDirectory(prefix="benchmark_") as folder:
        result = pathlib.Path(folder) / "memory.json"
        try:
            finished = subprocess.run(
                [sys.executable, "-m", _CHILD, str(result)],
                input=pickle.dumps(task),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Wherever this package was found, the other process finds it too.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(
                f"The process that measures memory was stopped after {_TIMEOUT_SECONDS} s."
            ) from error
        if finished.returncode != 0:
            lines = finished.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else "it said nothing"
            raise RuntimeError(
                f"The process that measures memory ended with {finished.returncode}: {reason}"
            )
        return MemoryUse(**read_json(result))
