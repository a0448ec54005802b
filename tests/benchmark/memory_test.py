import functools

import numpy as np
import pytest

from keras_fasterseg.benchmark.memory import MemoryTask, measure_memory
from keras_fasterseg.benchmark.memory_child import peak_memory_mib
from tests.benchmark.fake_clock import FakeClock
from tests.benchmark.fake_runner import FakeRunner


def greedy_runner(mib: int) -> FakeRunner:
    """A runner for whose making so many MiB were written for a moment."""
    np.ones(mib * 2**20, np.uint8)
    return FakeRunner(FakeClock(), [1.0])


def failing_runner() -> FakeRunner:
    raise ValueError("no artefact there")


def test_the_peak_holds_what_was_there_for_a_moment_and_nothing_of_this_process():
    here = np.ones(800 * 2**20, np.uint8)
    use = measure_memory(MemoryTask(functools.partial(greedy_runner, 300), (32, 32)))
    # Modules and images come on top of the 300 MiB; the 800 of this process do not.
    assert 295 <= use.peak_mib - use.before_mib < 400
    assert use.before_mib > 20
    assert use.gpu_mib is None
    assert here.nbytes > 2**20 * (use.peak_mib - use.before_mib)


def test_a_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="exited with code 1: ValueError: no artefact there"):
        measure_memory(MemoryTask(failing_runner, (32, 32)))


def test_unknown_scope_is_refused_at_once():
    with pytest.raises(ValueError, match="Unknown scope 'all'"):
        measure_memory(MemoryTask(failing_runner, (32, 32), scope="all"))


def test_the_peak_of_linux(tmp_path):
    (tmp_path / "status").write_text("VmPeak:\t 9000 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n")
    assert peak_memory_mib(tmp_path / "status") == 2.0
    assert peak_memory_mib(tmp_path / "gone") > 20
