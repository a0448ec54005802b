"""What a measured time depends on besides the network."""

import datetime
import importlib.metadata
import os
import pathlib
import platform

import psutil

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.gpu import gpu_names, power_limits_watts
from keras_fasterseg.benchmark.load import other_load

# Distributions whose version can change a time; those that are not installed are left out.
PACKAGES = (
    "keras_fasterseg",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "numpy",
    "jax",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "ai-edge-litert",
    "tensorrt",
    "tensorrt-rtx-cu12",
    "Pillow",
)


def describe_environment() -> dict[str, object]:
    """Facts about this machine and its software, fit for JSON, taken at the time of the call.

    Returns:
        `date` (UTC, ISO 8601), `cpu`, `gpus` (names, where nvidia-ml-py tells), `physical_cores`,
        `logical_cores`, `available_cores` (that this process may use), `cpu_quota`
        (the processor time that it may use, in cores; None without a limit), `memory_bytes`,
        `load_average` (1, 5 and 15 minutes; None where the system has none), `other_load` (see
        `benchmark.load.other_load`, which takes half a second), `power` (see
        `describe_power`), `operating_system`, `python` and `versions` by distribution.
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
    """Whether a runner's `device`, such as `CPU (AUTO)`, is a `CPU` or a `GPU`."""
    return "CPU" if str(device).upper().startswith("CPU") else "GPU"


def describe_power(
    governor: pathlib.Path = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
) -> dict[str, object]:
    """What limits the clocks of this machine: the same one may be twice as fast at other limits.

    Args:
        governor: Linux's file with the name of the rule by which the processor's clock is set.

    Returns:
        `governor` and `on_battery`, `None` where the system does not tell, and
        `gpu_limits_watts`, a number a GPU.
    """
    # Not every system has the function.
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return {
        "governor": governor.read_text(encoding="utf-8").strip() if governor.is_file() else None,
        "on_battery": None if battery is None else battery.power_plugged is False,
        "gpu_limits_watts": power_limits_watts(),
    }


def cpu_model(cpuinfo: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> str:
    """The processor's trade name, or its architecture where the system does not tell more.

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
    """The version of every installed distribution of `PACKAGES`."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
