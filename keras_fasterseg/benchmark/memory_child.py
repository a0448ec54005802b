"""Process started by `measure_memory`: reads its task from standard input, writes JSON to a file.

`python -m keras_fasterseg.benchmark.memory_child RESULT.json < TASK.pickle`
"""

import dataclasses
import pathlib
import pickle
import re
import sys

import psutil

from keras_fasterseg.benchmark.gpu import process_memory_mib
from keras_fasterseg.benchmark.images import benchmark_images
from keras_fasterseg.benchmark.memory import MemoryTask, MemoryUse
from keras_fasterseg.benchmark.scopes import find_scope, timed_calls
from keras_fasterseg.files import write_json

MIB = 2**20


def run(task: MemoryTask) -> MemoryUse:
    """Opens the artefact, calls it a few times and returns the memory use."""
    before_mib = psutil.Process().memory_info().rss / MIB
    runner = task.open_runner()
    runner.load()
    images = benchmark_images(task.input_size, task.batch_size)
    with timed_calls(find_scope(task.scope), {"runner": runner}, images) as calls:
        for _ in range(task.calls):
            calls["runner"]()
    return MemoryUse(before_mib, peak_memory_mib(), process_memory_mib())


def peak_memory_mib(status: pathlib.Path = pathlib.Path("/proc/self/status")) -> float:
    """Returns the peak resident memory of this process, in MiB.

    Args:
        status: Linux's status file of this process.
    """
    # On Linux, the maximum of getrusage includes the parent's memory at the time of the fork.
    if status.is_file():
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return int(found[1]) / 1024
    peak_bytes = getattr(psutil.Process().memory_info(), "peak_wset", None)
    if peak_bytes is not None:
        return peak_bytes / MIB
    # Not all systems have this module.
    import resource

    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return maximum / MIB if sys.platform == "darwin" else maximum / 1024


def main() -> None:
    """Runs the task on standard input."""
    # The pickle is trusted: the parent process, which is this same program, wrote it.
    task = pickle.load(sys.stdin.buffer)
    write_json(sys.argv[1], dataclasses.asdict(run(task)))


if __name__ == "__main__":
    main()
