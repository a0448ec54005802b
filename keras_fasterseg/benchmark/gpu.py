"""Facts about GPUs from NVIDIA's management library, if nvidia-ml-py is installed."""

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

MIB = 2**20


def process_memory_mib() -> float | None:
    """Returns this process's current GPU memory in MiB; `None` if unknown.

    Containers may hide the owner of GPU memory.
    """
    with _library() as nvml:
        if nvml is None:
            return None
        used = [
            process.usedGpuMemory
            for handle in _devices(nvml)
            for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)
            if process.pid == os.getpid() and process.usedGpuMemory is not None
        ]
        return sum(used) / MIB if used else None
    return None


def gpu_names() -> list[str]:
    """Returns the name of every GPU; empty if unknown."""
    with _library() as nvml:
        if nvml is None:
            return []
        names = [nvml.nvmlDeviceGetName(handle) for handle in _devices(nvml)]
        # Older versions return bytes.
        return [name.decode() if isinstance(name, bytes) else name for name in names]
    return []


def power_limits_watts() -> list[float]:
    """Returns the power limit of every GPU, in watts; empty if unknown."""
    with _library() as nvml:
        if nvml is None:
            return []
        limits = [nvml.nvmlDeviceGetEnforcedPowerLimit(handle) for handle in _devices(nvml)]
        return [milliwatts / 1000 for milliwatts in limits]
    return []


@contextlib.contextmanager
def _library() -> Iterator[Any]:
    """Yields the library, or `None` without it; a query that the driver refuses ends the block."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        yield None
        return
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        yield None
        return
    try:
        with contextlib.suppress(nvml.NVMLError):
            yield nvml
    finally:
        nvml.nvmlShutdown()


def _devices(nvml: Any) -> list[Any]:
    return [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
