import os
import sys
import types

import pytest

from keras_fasterseg.benchmark.gpu import gpu_names, power_limits_watts, process_memory_mib


class NVMLError(Exception):
    """Stands in for the library's own."""


def library(processes, init=lambda: None, closed=None):
    """A stand-in for the library with one GPU, whose processes are pairs of id and bytes."""
    return types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=init,
        nvmlShutdown=lambda: closed.append(True) if closed is not None else None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: b"Card",
        nvmlDeviceGetEnforcedPowerLimit=lambda handle: 250_000,
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [
            types.SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in processes
        ],
    )


def refuse():
    raise NVMLError("no driver")


def test_memory_of_this_process_and_limit_of_the_gpu(monkeypatch):
    closed = []
    processes = [(os.getpid(), 3 * 2**20), (os.getpid() + 1, 2**30)]
    monkeypatch.setitem(sys.modules, "pynvml", library(processes, closed=closed))
    assert process_memory_mib() == pytest.approx(3.0)
    assert power_limits_watts() == [250.0]
    assert gpu_names() == ["Card"]
    assert closed == [True] * 3


def test_what_nobody_tells_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", library([(os.getpid(), None)]))
    assert process_memory_mib() is None
    monkeypatch.setitem(sys.modules, "pynvml", library([], init=refuse))
    assert process_memory_mib() is None
    assert power_limits_watts() == gpu_names() == []
    refusing = library([])
    refusing.nvmlDeviceGetCount = refuse
    monkeypatch.setitem(sys.modules, "pynvml", refusing)
    assert process_memory_mib() is None
    assert power_limits_watts() == gpu_names() == []
    # What import does for a module that is not installed.
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert process_memory_mib() is None
    assert power_limits_watts() == gpu_names() == []
