"""Measurements in processes of their own, well-behaved and not."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from keras_fasterseg.jobs.estimation.probe import ProbeFailure, run_probes

PLENTY = 10**12


def process_id() -> int:
    return os.getpid()


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stopped() -> None:
    os._exit(3)


def slow() -> None:
    time.sleep(600)


def large() -> None:
    hoard = np.ones(13 * 10**8, "uint8")
    time.sleep(600)
    hoard.sum()


def faulty() -> None:
    raise ValueError("a setting\nis wrong")


def out_of_memory() -> None:
    raise MemoryError("nothing left")


@pytest.fixture(scope="module")
def results():
    """What came of all of them, one after the other, with 2 s for each."""
    measures = {
        "first": process_id,
        "killed": killed,
        "stopped": stopped,
        "slow": slow,
        "faulty": faulty,
        "out of memory": out_of_memory,
        "last": process_id,
    }
    return run_probes(measures, 2, PLENTY)


def test_each_runs_in_a_process_of_its_own_whatever_became_of_others(results):
    assert len({os.getpid(), results["first"], results["last"]}) == 3


def test_one_that_is_killed_does_not_fit(results):
    reason = "the system killed it (signal 9), for want of memory"
    assert results["killed"] == ProbeFailure("memory", reason)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("slow", ProbeFailure("time", "a few steps took more than 2 s")),
        ("faulty", ProbeFailure("error", "ValueError: a setting is wrong")),
        ("out of memory", ProbeFailure("memory", "MemoryError: nothing left")),
        ("stopped", ProbeFailure("error", "the measuring process ended with status 3")),
    ],
)
def test_one_that_fails_says_why(results, name, expected):
    assert results[name] == expected


def test_one_that_takes_too_much_is_ended():
    result = run_probes({"large": large}, 60, 10**9)["large"]
    assert result == ProbeFailure("memory", "a few steps took more than the 1.00 GB there are")


def test_nothing_to_measure_starts_nothing(monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_context", None)
    assert run_probes({}, 60, PLENTY) == {}
