"""A few steps of each training at its true shapes, on random images: how long and how much."""

import dataclasses
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fasterseg.jobs.estimation.measurement import Measurement
from keras_fasterseg.jobs.measure_latency import (
    SECONDS_A_MINUTE,
    measured_keys,
    operation_meter,
    table_keys,
)
from keras_fasterseg.jobs.pretrain import make_pretrainer
from keras_fasterseg.jobs.search import make_bilevel_trainer
from keras_fasterseg.jobs.train import make_trainer
from keras_fasterseg.latency.operations import multiply_accumulates
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.search.freed_memory import returned_to_system
from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.search.supernets import build_search_space
from keras_fasterseg.settings.stages import (
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.latency_costs import latency_costs
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.genotype import Genotype

VERSION = 2
"""Of the steps' work: where it changes, what was measured before is measured anew."""


def measure_pretrain(
    supernet: FasterSegSettings, settings: PretrainSettings, num_classes: int, steps: int
) -> Measurement:
    """Steps of pretraining."""
    start = time.perf_counter()
    space = build_search_space(supernet, num_classes, seed=0)
    trainer = make_pretrainer(space, settings, steps, seed=0)
    batch = _random_batch(settings.batch_size, settings.crop_size, num_classes)
    with without_graph_rewriting(), returned_to_system():
        return _measure(start, trainer, batch, steps, space.supernet, [trainer.optimizer])


def measure_search(
    supernet: FasterSegSettings, settings: SearchSettings, num_classes: int, steps: int
) -> Measurement:
    """Steps of the search, with a latency penalty in which every operation takes 1 ms."""
    start = time.perf_counter()
    space = build_search_space(supernet, num_classes, seed=0)
    costs = _equal_costs(supernet, num_classes)
    # Costs that are equal divide a penalty into no shares; which ones, changes no step's time.
    settings = dataclasses.replace(settings, penalty_shares="paper")
    trainer = make_bilevel_trainer(space, settings, costs, steps)
    optimizers = [trainer.optimizer, trainer.architecture_optimizer]
    batch = _random_batch(settings.batch_size, settings.crop_size, num_classes)
    with without_graph_rewriting(), returned_to_system():
        return _measure(start, trainer, (batch, batch), steps, space.supernet, optimizers)


def measure_training(
    genotype: Genotype,
    teacher: Genotype | None,
    settings: TrainSettings,
    num_classes: int,
    steps: int,
) -> Measurement:
    """Steps of training a derived network, beside the network of `teacher` if there is one."""
    start = time.perf_counter()
    network = FasterSegNetwork(
        genotype, num_classes, auxiliary_heads=True, dtype=settings.precision
    )
    frozen = None if teacher is None else FasterSegNetwork(teacher, num_classes)
    trainer = make_trainer(network, frozen, settings, steps)
    batch = _random_batch(settings.batch_size, settings.crop_size, num_classes)
    return _measure(start, trainer, batch, steps, network, [trainer.optimizer])


def measure_operations(
    supernet: FasterSegSettings, settings: LatencySettings, num_classes: int, count: int
) -> Measurement:
    """Rows of the latency table: `count` of them, spread from cheap to expensive."""
    start = time.perf_counter()
    keys = sorted(
        measured_keys(supernet, settings.latency_size, num_classes), key=multiply_accumulates
    )
    meter = operation_meter(settings)
    minutes = settings.latency_time_budget
    seconds = None if minutes is None else SECONDS_A_MINUTE * minutes / len(keys)
    # The cheapest pays for TensorFlow's start.
    meter(keys[:1], seconds)
    first = time.perf_counter()
    for index in range(count):
        meter([keys[(2 * index + 1) * len(keys) // (2 * count)]], seconds)
    row_seconds = (time.perf_counter() - first) / count
    return Measurement(first - start, row_seconds, _peak_memory_bytes(), _peak_gpu_bytes())


def _measure(
    start: float,
    trainer: keras.Model,
    batch: Any,
    steps: int,
    model: keras.Model,
    optimizers: Sequence[keras.optimizers.Optimizer],
) -> Measurement:
    step = tf.function(trainer.train_step, autograph=False, jit_compile=False)
    first_seconds = _seconds(step, batch, start)
    seconds = [_seconds(step, batch) for _ in range(steps)]
    slots = [variable for optimizer in optimizers for variable in optimizer.variables]
    return Measurement(
        first_seconds,
        statistics.median(seconds),
        _peak_memory_bytes(),
        _peak_gpu_bytes(),
        _bytes(model.variables),
        _bytes(slots),
    )


def _seconds(step: Callable[[Any], Any], batch: Any, start: float | None = None) -> float:
    start = time.perf_counter() if start is None else start
    # Reading a result is waiting for it.
    tf.nest.map_structure(np.asarray, step(batch))
    return time.perf_counter() - start


def _random_batch(batch_size: int, crop_size: tuple[int, int], num_classes: int):
    generator = np.random.default_rng(0)
    images = generator.standard_normal((batch_size, *crop_size, 3), "float32")
    labels = generator.integers(0, num_classes, (batch_size, *crop_size), "int32")
    return tf.constant(images), tf.constant(labels)


def _equal_costs(supernet: FasterSegSettings, num_classes: int):
    size = (64, 64)
    row = LatencyRow(1.0, 1.0, 1.0, 0)
    rows = dict.fromkeys(table_keys(supernet, size, num_classes), row)
    fingerprint = Fingerprint("none", "none", "none", "float32", None, 0)
    return latency_costs(
        LatencyTable(rows, TableMetadata("fasterseg", size, fingerprint)),
        base_filters=supernet.base_filters,
        width_multipliers=supernet.width_multipliers,
        stem_head_width=supernet.student_width,
    )


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _peak_gpu_bytes() -> int | None:
    if not tf.config.list_physical_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])


def _bytes(variables: Sequence[keras.Variable]) -> int:
    return sum(int(np.prod(each.shape)) * np.dtype(each.dtype).itemsize for each in variables)
