"""Description of the machine and software that measured times depend on."""

import datetime
import importlib.metadata
import os
import pathlib
import platform

import psutil

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.gpu import gpu_names, power_limits_watts
from keras_fasterseg.benchmark.load import other_load

# Distributions whose version can change a time; uninstalled ones are omitted.
PACKAGES = (
    "keras_fasterseg",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "numpy",
    "jax",
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "ai-edge-litert",
    "tensorrt",
    "tensorrt-rtx-cu12",
    "Pillow",
)


def describe_environment() -> dict[str, object]:
    """Describes this machine and its software, at the time of the call, in JSON values.

    Returns:
        `date` (UTC, ISO 8601), `cpu`, `gpus` (names, from nvidia-ml-py), `physical_cores`,
        `logical_cores`, `available_cores` (that this process may use), `cpu_quota` (its limit of
        processor time, in cores; None without a limit), `memory_bytes`, `load_average` (1, 5 and 15
        minutes; None if the system has none), `other_load` (see `benchmark.load.other_load`, which
        takes half a second), `power` (see `describe_power`), `operating_system`, `python` and
        `versions` by distribution.
    """
    cores = available_cores()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "gpus": gpu_names(),
        "physical_cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(logical=True),
        "available_cores": cores.logical,
        "cpu_quota": cores.quota,
        "memory_bytes": psutil.virtual_memory().total,
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "other_load": other_load(),
        "power": describe_power(),
        "operating_system": platform.platform(),
        "python": platform.python_version(),
        "versions": package_versions(),
    }


def device_kind(device: object) -> str:
    """Returns `CPU` or `GPU` for a runner's `device`, such as `CPU (AUTO)`."""
    return "CPU" if str(device).upper().startswith("CPU") else "GPU"


def describe_power(
    governor: pathlib.Path = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
) -> dict[str, object]:
    """Describes this machine's power limits, which can change its speed by a factor of two.

    Args:
        governor: Linux's file with the name of the CPU frequency governor.

    Returns:
        `governor` and `on_battery`, which are `None` if unknown, and `gpu_limits_watts`, one number
        per GPU.
    """
    # Not all systems have this function.
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return {
        "governor": governor.read_text(encoding="utf-8").strip() if governor.is_file() else None,
        "on_battery": None if battery is None else battery.power_plugged is False,
        "gpu_limits_watts": power_limits_watts(),
    }


def cpu_model(cpuinfo: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> str:
    """Returns the processor's trade name, or its architecture if the name is unknown.

    Args:
        cpuinfo: Linux's list of processors.
    """
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Returns the version of every installed distribution in `PACKAGES`."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
