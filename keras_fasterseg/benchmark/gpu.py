"""What NVIDIA's management library says of the GPUs, where nvidia-ml-py is installed."""

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

MIB = 2**20


def process_memory_mib() -> float | None:
    """GPU memory of this process now, in MiB; `None` where nobody tells.

    Containers may hide which memory is whose.
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
    """The name of every GPU; empty where nobody tells."""
    with _library() as nvml:
        if nvml is None:
            return []
        names = [nvml.nvmlDeviceGetName(handle) for handle in _devices(nvml)]
        # Bytes in older versions.
        return [name.decode() if isinstance(name, bytes) else name for name in names]
    return []


def power_limits_watts() -> list[float]:
    """The power limit of every GPU, in watts; empty where nobody tells."""
    with _library() as nvml:
        if nvml is None:
            return []
        limits = [nvml.nvmlDeviceGetEnforcedPowerLimit(handle) for handle in _devices(nvml)]
        return [milliwatts / 1000 for milliwatts in limits]
    return []


@contextlib.contextmanager
def _library() -> Iterator[Any]:
    """The library, or `None` without it; what a driver refuses to tell ends the block."""
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
