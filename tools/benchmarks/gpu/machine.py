"""Facts about the machine that the times of a GPU depend on."""

import importlib.metadata
import os
import shutil
import subprocess
from typing import Any

from keras_fasterseg.benchmark.environment import cpu_model

# Distributions whose version can change a time.
PACKAGES = (
    "keras",
    "jax",
    "jaxlib",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
    "torch",
    "triton",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "onnxruntime",
    "onnxruntime-gpu",
    "tensorrt",
    "numpy",
)
CARD = ("name", "driver_version", "memory.total", "power.limit", "clocks.max.sm", "clocks.max.mem")
STATE = ("clocks.sm", "clocks.mem", "power.draw", "temperature.gpu")


def describe_machine() -> dict[str, Any]:
    """The card (nothing without `nvidia-smi`), the processor, its cores and library versions."""
    return {
        "card": query_card(CARD),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": _versions(),
    }


def card_state() -> dict[str, str]:
    """Clocks, power and temperature of the first card now; nothing without `nvidia-smi`."""
    return query_card(STATE)


def query_card(fields: tuple[str, ...]) -> dict[str, str]:
    """Fields of `nvidia-smi --query-gpu` of the first card, as it prints them."""
    if shutil.which("nvidia-smi") is None:
        return {}
    command = ["nvidia-smi", "--id=0", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    values = [value.strip() for value in finished.stdout.strip().split(",")]
    return dict(zip(fields, values, strict=True)) if len(values) == len(fields) else {}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
