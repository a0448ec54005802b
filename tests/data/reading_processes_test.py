"""Batches from other processes: their order, their errors, and the end of the processes."""

import itertools
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from keras_fasterseg.data import reading_processes
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.reading_processes import read_in_processes

ROOT = pathlib.Path(__file__).parents[2]
# Processes end within milliseconds; a busy machine may take longer.
PATIENCE_SECONDS = 30


class Numbered:
    """Batches that hold their number, and say which backends their process has imported."""

    def __init__(self, faulty=None, deadly=None):
        self.faulty = faulty
        self.deadly = deadly

    def __getitem__(self, number):
        if number == self.faulty:
            raise DataError(f"The image {number} is damaged.")
        if number == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        # What a process needs for training batches of any data set.
        from keras_fasterseg.data import numpy_pipeline, registry  # noqa: F401

        backends = {"keras", "jax", "torch", "tensorflow"} & set(sys.modules)
        return np.full((2, 700, 100), number, np.float32), np.array([len(backends), os.getpid()])


def numbers(batches, count):
    return [int(first[0, 0, 0]) for first, _ in itertools.islice(batches, count)]


def children():
    """Running processes that read; other tests have children, too."""
    found = psutil.Process().children()
    return [each for each in found if any("serve(" in part for part in each.cmdline())]


@pytest.fixture(autouse=True)
def _no_process_is_left():
    yield
    assert not children()


@pytest.mark.parametrize("processes", [1, 3])
def test_batches_come_in_order(processes):
    batches = read_in_processes(Numbered(), 5, processes)
    assert numbers(batches, 7) == list(range(5, 12))
    batches.close()


def test_every_process_reads_its_share_and_imports_no_backend():
    batches = read_in_processes(Numbered(), 0, 2)
    found = [values.tolist() for _, values in itertools.islice(batches, 4)]
    batches.close()
    assert [backends for backends, _ in found] == [0] * 4
    readers = [reader for _, reader in found]
    assert readers[:2] == readers[2:]
    assert len({*readers, os.getpid()}) == 3


def test_a_faulty_file_is_named():
    batches = read_in_processes(Numbered(faulty=3), 0, 2)
    assert numbers(batches, 3) == [0, 1, 2]
    with pytest.raises(DataError) as failure:
        next(batches)
    assert str(failure.value) == "The image 3 is damaged."
    assert "in __getitem__" in failure.value.__notes__[0]


def test_a_killed_process_is_reported():
    batches = read_in_processes(Numbered(deadly=1), 0, 2)
    with pytest.raises(ChildProcessError, match="ended with status -9, probably because memory"):
        numbers(batches, 2)


def test_an_interruption_ends_the_processes():
    batches = read_in_processes(Numbered(), 0, 2)
    numbers(batches, 1)
    assert len(children()) == 2
    with pytest.raises(KeyboardInterrupt):
        batches.throw(KeyboardInterrupt)


def test_a_dropped_iterator_ends_the_processes():
    batches = read_in_processes(Numbered(), 0, 2)
    numbers(batches, 1)
    assert len(children()) == 2
    del batches


def test_batches_that_cannot_be_sent_start_no_process(monkeypatch):
    monkeypatch.setattr(reading_processes, "_Reader", None)
    with pytest.raises(AttributeError, match="pickle"):
        next(read_in_processes(Numbered(faulty=lambda: None), 0, 2))


def test_a_killed_training_leaves_no_process():
    program = """
import os, psutil, signal
from tests.data.reading_processes_test import Numbered, read_in_processes
batches = read_in_processes(Numbered(), 0, 2)
next(batches)
print(*(child.pid for child in psutil.Process().children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert ended.returncode == -signal.SIGKILL
    left = [int(pid) for pid in ended.stdout.split()]
    assert len(left) == 2
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_running, left)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid):
    # Nobody may collect the status of a process whose parent was killed.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
