"""Piece `networks`: inference of published networks, by engine and precision.

This module runs in children, see `children.py`; it selects the engine of Keras's backend.
"""

import dataclasses
import gc
import importlib
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from tools.benchmarks.gpu.cases import BATCHES, PRECISIONS, TRACING_ONLY, Case, all_cases
from tools.benchmarks.gpu.children import measure_in_child
from tools.benchmarks.gpu.options import Options, installed_backends
from tools.benchmarks.gpu.timing import Effort, measure_calls

NUM_CLASSES = 19
# Logits are compared at every eighth row and column.
STRIDE = 8
METHOD = (
    "Images lie in the device's memory; a call returns uint8 class ids there. p50, p90 and p99 are "
    "times of single calls: CUDA events on PyTorch, the host's clock until the result is ready on "
    "JAX. back_to_back_ms is the mean of calls of which only the last is waited for; fps and "
    "share_of_peak follow from it. The peak is a large matrix product of the same precision in "
    "the same process. Weights and images are random, and the same for all."
)


def run(options: Options) -> list[str]:
    """Measures all cases until the deadline and returns the names of those still missing."""
    batches = (1, 2) if options.rehearsal else BATCHES
    groups = all_cases(options.networks, batches, PRECISIONS, installed_backends())
    mode = options.compile_mode or (TRACING_ONLY if options.rehearsal else "max-autotune")
    settings = {
        "image_size": (64, 128) if options.rehearsal else (1024, 2048),
        "effort": dataclasses.asdict(options.effort),
        "compile_mode": mode,
    }
    groups = [[case for case in group if options.wants(case.name)] for group in groups]
    results = options.results("networks", {"text": METHOD, "num_classes": NUM_CLASSES, **settings})
    for cases in filter(None, groups):
        measure_in_child(
            results,
            __name__,
            [case.name for case in cases],
            cases[0].backend,
            options.deadline,
            cases=[dataclasses.asdict(case) for case in cases],
            folder=str(options.output / "reference"),
            **settings,
        )
    return results.missing([case.name for cases in groups for case in cases])


def measure(
    names: list[str],
    cases: list[dict[str, Any]],
    image_size: list[int],
    effort: dict[str, Any],
    compile_mode: str,
    folder: str,
    seconds: float,
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Measures cases one by one; see `children.py`."""
    import keras

    start = time.monotonic()
    by_name = {case.name: case for case in (Case(**each) for each in cases)}
    module = importlib.import_module(f"tools.benchmarks.gpu.{keras.backend.backend()}_engine")
    engine = module.Engine(compile_mode)
    limits = Effort(**effort)
    for name in names:
        if time.monotonic() - start > seconds:
            return
        yield name, None
        case = by_name[name]
        try:
            result = _measure(
                engine, case, (image_size[0], image_size[1]), limits, pathlib.Path(folder)
            )
        # A broken device breaks all later measurements too; the process ends for those.
        except Exception as error:
            if engine.is_broken(error):
                raise
            result = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        yield name, {**dataclasses.asdict(case), **result}
        gc.collect()


def _measure(
    engine: Any, case: Case, size: tuple[int, int], effort: Effort, folder: pathlib.Path
) -> dict[str, Any]:
    from keras_fasterseg.spaces.cost import network_work
    from keras_fasterseg.spaces.registry import resolve_genotype, space_of
    from tools.benchmarks.gpu.machine import card_state
    from tools.benchmarks.gpu.weights import random_images, set_random_weights

    genotype = resolve_genotype(case.network)
    policy = {"fp16": "mixed_float16", "bf16": "mixed_bfloat16"}.get(case.precision, "float32")
    dtype = policy if case.model == "keras" else "float32"
    network = space_of(genotype).build(genotype, NUM_CLASSES, dtype=dtype)
    digest = set_random_weights(network)
    images = random_images(case.batch, *size)
    with engine.precision(case.precision):
        peak = engine.matrix_peak(case.precision)
        call = engine.prepare(case, network, images)
        times = measure_calls(call.timed, effort)
        back_to_back_ms = 1000 * call.back_to_back(times["repetitions"])
        state = card_state()
        ids, logits = call.class_ids()[0], call.logits(STRIDE)[0]
        compared = _compared(folder / f"{case.name.partition('/')[0]}.npz", ids, logits, case)
    macs = network_work(genotype, size, NUM_CLASSES).macs
    fps = 1000 * case.batch / back_to_back_ms
    return {
        **times,
        "back_to_back_ms": back_to_back_ms,
        "fps": fps,
        "image_size": list(size),
        "macs": macs,
        "matrix_peak_macs_per_second": peak,
        "share_of_peak": fps * macs / peak,
        **call.facts(),
        "device": engine.device_name,
        "state_after": state,
        "weights_sha256": digest,
        **compared,
    }


def _compared(path: pathlib.Path, ids: Any, logits: Any, case: Case) -> dict[str, Any]:
    """Compares with the first measurement in strict float32, or becomes it."""
    import numpy as np

    from keras_fasterseg.files import atomic_path

    if not path.is_file() and case.precision == "fp32":
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, ids=ids, logits=logits, case=case.name)
    if not path.is_file():
        return {"reference": None}
    with np.load(path) as reference:
        return {
            "reference": str(reference["case"]),
            "equal_pixels": float(np.mean(ids == reference["ids"])),
            "largest_logit_difference": float(np.max(np.abs(logits - reference["logits"]))),
            "largest_logit": float(np.max(np.abs(reference["logits"]))),
        }
