"""Piece `onnxruntime`: published networks in ONNX Runtime, on its providers for CUDA.

The files are written by PyTorch's exporter, `tools.benchmarks.pytorch_export`. This module also
runs in children, see `children.py`.
"""

import dataclasses
import importlib.util
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from tools.benchmarks.gpu.children import measure_in_child
from tools.benchmarks.gpu.networks import NUM_CLASSES
from tools.benchmarks.gpu.options import Options
from tools.benchmarks.gpu.timing import Effort, measure_calls
from tools.benchmarks.gpu.tool_runs import run_tool

METHOD = (
    "One image in the device's memory, class ids there; the host's clock until the result is "
    "ready. The files are PyTorch's exports, in float32 or with weights and maps in float16."
)
PROVIDERS = ("CUDAExecutionProvider", "TensorrtExecutionProvider")
PRECISIONS = ("fp32", "tf32", "fp16")


def run(options: Options) -> list[str]:
    """Exports and measures the networks; returns the names of those still missing."""
    results = options.results("onnxruntime", {"text": METHOD})
    lacking = [
        name
        for name in ("onnxruntime", "torch", "onnxscript")
        if importlib.util.find_spec(name) is None
    ]
    if lacking:
        results.add("onnxruntime", {"error": f"{', '.join(lacking)}: not installed."})
        return []
    size = (64, 128) if options.rehearsal else (1024, 2048)
    names, files = [], {}
    for network in options.networks:
        stem = pathlib.PurePath(network).stem
        for half in (False, True):
            folder = options.output / "onnx" / f"{stem}_{'fp16' if half else 'fp32'}"
            export = f"export/{folder.name}"
            names.append(export)
            size_flag = f"--input_size={size[0]}x{size[1]}"
            call = ["tools.benchmarks.pytorch_export", f"--genotype={network}", size_flag]
            call += [f"--target={folder}", f"--half={half}"]
            if run_tool(options, results, export, "torch", call, dict):
                for precision in ("fp16",) if half else ("fp32", "tf32"):
                    for provider in PROVIDERS:
                        name = f"{stem}/{precision}/{provider}"
                        files[name] = str(folder / "model.onnx")
    measure_in_child(
        results,
        __name__,
        list(files),
        "torch",
        options.deadline,
        files=files,
        image_size=size,
        effort=dataclasses.asdict(options.effort),
    )
    return results.missing([*names, *files])


def measure(
    names: list[str],
    files: dict[str, str],
    image_size: list[int],
    effort: dict[str, Any],
    seconds: float,
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Measures files in ONNX Runtime; see `children.py`."""
    start = time.monotonic()
    for name in names:
        if time.monotonic() - start > seconds:
            return
        yield name, None
        network, precision, provider = name.split("/")
        facts = {"network": network, "precision": precision, "provider": provider}
        try:
            result = _measure(files[name], precision, provider, image_size, Effort(**effort))
        # Errors of the runtime's C++ code have many types.
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        yield name, {**facts, **result}


def _measure(
    path: str, precision: str, provider: str, size: list[int], effort: Effort
) -> dict[str, Any]:
    import numpy as np
    import onnxruntime  # pyright: ignore[reportMissingImports]

    from tools.benchmarks.gpu.machine import card_state
    from tools.benchmarks.gpu.weights import random_images

    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise ValueError(f"ONNX Runtime has no {provider} here, only {', '.join(available)}.")
    settings = {
        "CUDAExecutionProvider": {"use_tf32": int(precision != "fp32")},
        "TensorrtExecutionProvider": {"trt_fp16_enable": precision == "fp16"},
    }[provider]
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(path, providers=[(provider, settings)])
    loaded = time.perf_counter() - start
    if session.get_providers()[0] != provider:
        raise ValueError(f"The session does not use {provider}: {session.get_providers()}")
    images = random_images(1, *size)
    binding = session.io_binding()
    binding.bind_ortvalue_input(
        session.get_inputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(images, "cuda", 0)
    )
    binding.bind_output(session.get_outputs()[0].name, "cuda", 0)

    def timed(count: int) -> list[float]:
        times = [time.perf_counter()]
        for _ in range(count):
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()
            times.append(time.perf_counter())
        return np.diff(times).tolist()

    times = measure_calls(timed, effort)
    return {
        **times,
        "fps": 1000 / times["p50_ms"],
        "load_seconds": loaded,
        "num_classes": NUM_CLASSES,
        "version": onnxruntime.__version__,
        "state_after": card_state(),
    }
