"""Measures a few steps of a training on random images of the true size, in a separate process."""

import contextlib
import dataclasses
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
import tensorflow as tf

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
    trainer, network, batch = _prepared(stage, settings, num_classes, genotypes)
    step = tf.function(trainer.train_step, autograph=False, jit_compile=False)
    ends = []
    with contextlib.ExitStack() as stack:
        if stage in ("pretrain", "search"):
            stack.enter_context(without_graph_rewriting())
            stack.enter_context(returned_to_system())
        for _ in range(1 + STEPS):
            # Reading a result waits for it.
            tf.nest.map_structure(np.asarray, step(batch))
            ends.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gpu = None
    if tf.config.list_physical_devices("GPU"):
        gpu = int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    slots = [*trainer.optimizer.variables]
    if stage == "search":
        slots += trainer.architecture_optimizer.variables
    return StepCost(
        ends[0] - start,
        statistics.median(np.diff(ends).tolist()),
        peak if sys.platform == "darwin" else 1024 * peak,
        gpu,
        weight_bytes=sum(each.value.numpy().nbytes for each in network.variables),
        slot_bytes=sum(each.value.numpy().nbytes for each in slots),
    )


def _prepared(
    stage: str, settings: RunSettings, num_classes: int, genotypes: Mapping[str, Genotype]
) -> tuple[keras.Model, keras.Model, Any]:
    """The trainer of the stage, the network that it trains, and a batch."""
    space, own = settings.space, getattr(settings, stage)
    generator = np.random.default_rng(0)
    shape = (own.batch_size, *own.crop_size)
    images = tf.constant(generator.standard_normal((*shape, 3), "float32"))
    batch = (images, tf.constant(generator.integers(0, num_classes, shape, "int32")))
    if stage in ("pretrain", "search"):
        model = space.search_model(num_classes, seed=0)
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
        exhausted = isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)
        sentence = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        result = MemoryError(sentence) if exhausted else RuntimeError(sentence)
    sender.send(result)
