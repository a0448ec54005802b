"""Memory use of an artefact, measured in a separate process."""

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
        before_mib: Memory with all modules imported, before the artefact is opened.
        peak_mib: Peak memory.
        gpu_mib: GPU memory after the calls; `None` without a GPU or without nvidia-ml-py.
    """

    before_mib: float
    peak_mib: float
    gpu_mib: float | None = None


@dataclasses.dataclass(frozen=True)
class MemoryTask:
    """Task of the process.

    Attributes:
        open_runner: Makes the runner. It is pickled, so it must be a module-level function, with
            arguments bound by `functools.partial`.
        input_size: Height and width of the images.
        batch_size: Images per call.
        scope: Name of the scope to call.
        calls: Number of calls.
    """

    open_runner: Callable[[], Runner]
    input_size: tuple[int, int]
    batch_size: int = 1
    scope: str = DEFAULT_SCOPE
    calls: int = CALLS


def measure_memory(task: MemoryTask) -> MemoryUse:
    """Runs `task` in a new process and returns its memory use.

    Raises:
        RuntimeError: The process failed, for example because memory ran out; the message contains
            its last line of output.
        ValueError: The scope is unknown.
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
                # The new process must find this package where this process found it.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(
                f"The process that measures memory timed out after {_TIMEOUT_SECONDS} s."
            ) from error
        if finished.returncode != 0:
            lines = finished.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else "no error output"
            raise RuntimeError(
                f"The process that measures memory exited with code {finished.returncode}: {reason}"
            )
        return MemoryUse(**read_json(result))
