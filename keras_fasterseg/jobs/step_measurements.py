"""Measures a few steps of a training on random images of the true size, in a separate process.

This file selects the backend's statistics of a GPU's memory.
"""

import contextlib
import dataclasses
import itertools
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import psutil
from keras import ops

from keras_fasterseg.jobs.pretrain import make_pretrainer
from keras_fasterseg.jobs.search import make_search_trainer
from keras_fasterseg.jobs.step_costs import StepCost
from keras_fasterseg.jobs.train import make_trainer
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.search.freed_memory import returned_to_system
from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.settings.stages import RunSettings
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

STEPS = 3


def measure_apart(
    stage: str,
    settings: RunSettings,
    num_classes: int,
    genotypes: Mapping[str, Genotype],
    limit_seconds: float,
    limit_bytes: int,
) -> StepCost:
    """Runs `measure_step` in a separate process, which is killed beyond a time or memory limit.

    Raises:
        MemoryError: It needs more memory, or the system killed it because memory ran out.
        RuntimeError: It takes longer, or fails.
    """
    # A fork would inherit the state of TensorFlow in this process.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (sender, stage, settings, num_classes, genotypes)
    process = context.Process(target=_send, args=arguments, daemon=True)
    process.start()
    sender.close()
    deadline = time.monotonic() + limit_seconds
    try:
        while not receiver.poll(0.1):
            if time.monotonic() > deadline:
                raise RuntimeError(f"a few steps took more than {limit_seconds:.0f} s")
            with contextlib.suppress(psutil.Error):
                if psutil.Process(process.pid).memory_info().rss > limit_bytes:
                    free = f"{limit_bytes / 1e9:.2f} GB"
                    raise MemoryError(f"a few steps needed more than the free {free}")
        result = receiver.recv()
    except EOFError:
        process.join()
        if process.exitcode == -9:
            result = MemoryError(
                "the system killed the measuring process (signal 9), because memory ran out"
            )
        else:
            result = RuntimeError(f"the measuring process ended with status {process.exitcode}")
    finally:
        process.kill()
        process.join()
    if isinstance(result, Exception):
        raise result
    return result


def measure_step(
    stage: str, settings: RunSettings, num_classes: int, genotypes: Mapping[str, Genotype]
) -> StepCost:
    """Measures a few steps of a stage. Its memory is the peak of this process since its start.

    Args:
        stage: "pretrain", "search" or a role.
        settings: Settings of every stage.
        num_classes: Number of classes.
        genotypes: Networks by role.
    """
    start = time.perf_counter()
    trainer, network, batch = prepare_step(stage, settings, num_classes, genotypes)
    times = StepTimes()
    with contextlib.ExitStack() as stack:
        if stage in ("pretrain", "search"):
            stack.enter_context(without_graph_rewriting())
            stack.enter_context(returned_to_system())
        trainer.fit(
            (batch for _ in itertools.count()),
            steps_per_epoch=1 + STEPS,
            shuffle=False,
            callbacks=[times],
            verbose=0,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slots = [*trainer.optimizer.variables]
    if stage == "search":
        slots += trainer.architecture_optimizer.variables
    return StepCost(
        times.ends[0] - start,
        statistics.median(np.diff(times.ends).tolist()),
        peak if sys.platform == "darwin" else 1024 * peak,
        _gpu_peak_bytes(),
        weight_bytes=sum(ops.convert_to_numpy(each).nbytes for each in network.variables),
        slot_bytes=sum(ops.convert_to_numpy(each).nbytes for each in slots),
    )


class StepTimes(keras.callbacks.Callback):
    """Records when the first step starts and when every step ends, in seconds."""

    def __init__(self):
        super().__init__()
        self.start = 0.0
        self.ends: list[float] = []

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        # Reading a result waits for it.
        float((logs or {})["loss"])
        self.ends.append(time.perf_counter())


def _gpu_peak_bytes() -> int | None:
    """Largest memory that this process has used on the first GPU; `None` without a GPU."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            return None
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    if backend == "jax":
        import jax  # pyright: ignore[reportMissingImports]

        device = jax.local_devices()[0]
        return device.memory_stats()["peak_bytes_in_use"] if device.platform == "gpu" else None
    import torch  # pyright: ignore[reportMissingImports]

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def prepare_step(
    stage: str, settings: RunSettings, num_classes: int, genotypes: Mapping[str, Genotype]
) -> tuple[keras.Model, keras.Model, Any]:
    """The compiled trainer of a stage, the network that it trains, and a random batch for it."""
    space, own = settings.space, getattr(settings, stage)
    generator = np.random.default_rng(0)
    shape = (own.batch_size, *own.crop_size)
    images = generator.standard_normal((*shape, 3), "float32")
    batch = (images, generator.integers(0, num_classes, shape, "int32"))
    if stage in ("pretrain", "search"):
        model = space.search_model(num_classes, 0, own.precision)
        if stage == "pretrain":
            return make_pretrainer(model, own, STEPS, seed=0), model.supernet, batch
        # Every operation takes 1 ms, from which shares cannot be computed; the paper's are used,
        # because shares do not change the time of a step.
        keys = space.required_keys((64, 64), num_classes)
        fingerprint = Fingerprint("none", "none", "none", "float32", None, 0)
        metadata = TableMetadata(space.name, (64, 64), fingerprint)
        table = LatencyTable(dict.fromkeys(keys, LatencyRow(1.0, 1.0, 1.0, 0)), metadata)
        own = dataclasses.replace(own, penalty_shares="paper")
        trainer = make_search_trainer(space, model, own, table, STEPS)
        return trainer, model.supernet, batch if space.single_level else (batch, batch)
    network = space.build(genotypes[stage], num_classes, auxiliary_heads=True, dtype=own.precision)
    taught = stage == STUDENT and TEACHER in genotypes
    teacher = space.build(genotypes[TEACHER], num_classes) if taught else None
    return make_trainer(network, teacher, own, STEPS), network, batch


def _send(sender, *arguments: Any) -> None:
    try:
        result: StepCost | Exception = measure_step(*arguments)
    # Any error is reported, because only its sentence leaves this process.
    except Exception as error:
        found = f"{type(error).__name__} {error}"
        # ResourceExhaustedError (TensorFlow), RESOURCE_EXHAUSTED (JAX), OutOfMemoryError (PyTorch).
        exhausted = isinstance(error, MemoryError) or any(
            each in found.lower().replace("_", "") for each in ("resourceexhausted", "outofmemory")
        )
        sentence = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        result = MemoryError(sentence) if exhausted else RuntimeError(sentence)
    sender.send(result)
