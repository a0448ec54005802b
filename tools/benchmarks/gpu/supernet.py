"""Piece `supernet`: steps of pretraining and search at the paper's sizes, on JAX.

This module also runs in children, see `children.py`.
"""

import dataclasses
import itertools
import re
import statistics
import time
from collections.abc import Iterator
from typing import Any

from tools.benchmarks.gpu.children import measure_in_child
from tools.benchmarks.gpu.options import PRESETS, Options, installed_backends

STAGES = ("pretrain", "search")
PRODUCTS = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": "default"}
NUM_CLASSES = 19
METHOD = (
    "Steps of Keras's fit on random batches from host memory. p50_ms is the median of epochs of "
    "one step, back_to_back_ms the mean of one epoch of many steps. Every measurement has a "
    "process of its own; its memory is the peak that JAX reports. Hours are back_to_back_ms times "
    "the steps of the preset, without evaluation. The released PyTorch code was timed only on a "
    "CPU."
)


def run(options: Options) -> list[str]:
    """Measures both stages in all precisions; returns the names of those still missing."""
    stages = {stage: _preset(stage) for stage in STAGES}
    steps, space = (20, {}) if not options.rehearsal else (2, {"num_layers": 5, "base_filters": 2})
    if options.rehearsal:
        stages = {name: {**each, "crop_size": (64, 64)} for name, each in stages.items()}
    method = {"text": METHOD, "steps": steps, "stages": stages}
    results = options.results("supernet", method)
    names = [f"{stage}/{precision}" for precision in PRODUCTS for stage in STAGES]
    if "jax" not in installed_backends():
        for name in results.missing(names):
            results.add(name, {"error": "JAX is not installed."})
    for name in names:
        measure_in_child(
            results,
            __name__,
            [name],
            "jax",
            options.deadline,
            settings=stages[name.partition("/")[0]],
            space=space,
            steps=steps,
        )
    return results.missing(names)


def _preset(stage: str) -> dict[str, Any]:
    """Sizes and schedule of the paper's preset of a stage."""
    text = (PRESETS / f"cityscapes_{stage}.flags").read_text(encoding="utf-8")
    values = dict(re.findall(rf"^--{stage}_(\w+)=(\S+)$", text, re.MULTILINE))
    height, width = values["crop_size"].split("x")
    return {
        "crop_size": (int(height), int(width)),
        **{name: int(values[name]) for name in ("epochs", "steps_per_epoch", "batch_size")},
    }


def measure(
    names: list[str],
    settings: dict[str, Any],
    space: dict[str, Any],
    steps: int,
    seconds: float,
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Measures one stage in one precision; see `children.py`."""
    for name in names:
        yield name, None
        stage, precision = name.split("/")
        yield name, _measure(stage, precision, settings, space, steps)


def _measure(
    stage: str, precision: str, settings: dict[str, Any], space: dict[str, Any], steps: int
) -> dict[str, Any]:
    import jax  # pyright: ignore[reportMissingImports]
    import keras
    import numpy as np

    from tools.benchmarks.gpu.machine import card_state

    jax.config.update("jax_default_matmul_precision", PRODUCTS[precision])
    keras.utils.set_random_seed(0)
    policy = "mixed_bfloat16" if precision == "bf16" else "float32"
    trainer = _trainer(stage, space, policy, steps)
    shape = (settings["batch_size"], *settings["crop_size"])
    generator = np.random.default_rng(0)

    def batch() -> Any:
        images = generator.standard_normal((*shape, 3), "float32")
        return images, generator.integers(0, NUM_CLASSES, shape, "int32")

    data = batch() if stage == "pretrain" else (batch(), batch())

    def epochs(count: int, length: int) -> list[float]:
        ends = [time.perf_counter()]
        timer = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
        )
        stream = (data for _ in itertools.count())
        trainer.fit(stream, epochs=count, steps_per_epoch=length, verbose=0, callbacks=[timer])
        return np.diff(ends).tolist()

    first = epochs(1, 1)[0]
    # Keras traces a second time, when its metrics exist.
    second = epochs(1, 1)[0]
    single = epochs(steps, 1)
    mean = epochs(1, steps)[0] / steps
    memory = jax.local_devices()[0].memory_stats() or {}
    scheduled = settings["epochs"] * settings["steps_per_epoch"]
    p50, p90, p99 = (1000 * float(each) for each in np.percentile(single, (50, 90, 99)))
    return {
        "stage": stage,
        "precision": precision,
        **settings,
        "compile_seconds": first + second - 2 * statistics.median(single),
        "p50_ms": p50,
        "p90_ms": p90,
        "p99_ms": p99,
        "back_to_back_ms": 1000 * mean,
        "repetitions": steps,
        "peak_memory_bytes": memory.get("peak_bytes_in_use"),
        "schedule_steps": scheduled,
        "schedule_hours": scheduled * mean / 3600,
        "device": jax.local_devices()[0].device_kind,
        "state_after": card_state(),
    }


def _trainer(stage: str, space_settings: dict[str, Any], policy: str, steps: int) -> Any:
    from keras_fasterseg.latency.table import LatencyRow, LatencyTable
    from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
    from keras_fasterseg.run.optimizers import (
        architecture_optimizer,
        pretraining_optimizer,
        search_optimizer,
    )
    from keras_fasterseg.search.search_trainer import SearchTrainer
    from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
    from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
    from keras_fasterseg.spaces.registry import make_space

    space = make_space("fasterseg")
    space = make_space("fasterseg", dataclasses.replace(space.settings, **space_settings))
    model = space.search_model(NUM_CLASSES, 0, policy)
    if stage == "pretrain":
        trainer = SupernetPretrainer(model, seed=0)
        trainer.compile(pretraining_optimizer(PretrainSettings(), steps))
        trainer.optimizer.build(model.supernet.trainable_variables)
        return trainer
    # Every operation takes 1 ms: the table does not change the time of a step.
    size = (64, 64)
    rows = dict.fromkeys(space.required_keys(size, NUM_CLASSES), LatencyRow(1.0, 1.0, 1.0, 0))
    fingerprint = Fingerprint("none", "none", "none", "float32", None, 0)
    table = LatencyTable(rows, TableMetadata(space.name, size, fingerprint))
    trainer = SearchTrainer(model, space.penalty(table, NUM_CLASSES, 6.0))
    settings = SearchSettings()
    trainer.compile(search_optimizer(settings, steps), architecture_optimizer(settings))
    return trainer
