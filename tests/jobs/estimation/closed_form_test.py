"""Steps by arithmetic: hand-computed values, built models, and what must make a step larger."""

import dataclasses
import math

import numpy as np
import pytest
from keras_fasterseg.search.supernets import build_search_space

from keras_fasterseg.jobs.estimation import closed_form
from keras_fasterseg.jobs.estimation.closed_form import (
    operations_step,
    pass_seconds,
    pretrain_step,
    row_seconds,
    search_step,
    training_step,
)
from keras_fasterseg.jobs.estimation.speed import MachineSpeed
from keras_fasterseg.jobs.measure_latency import measured_keys
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.settings.stages import (
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.work import Work

SPEED = MachineSpeed(1e11, 1e10)
SUPERNET = FasterSegSettings(4, 2, (0.5, 1.0), 0.5)
SHAPES = {"batch_size": 2, "crop_size": (64, 128)}
TRAIN = TrainSettings(**SHAPES)
TEACHER, STUDENT = (largest_genotype(4, 2, width) for width in (1.0, 0.5))
LATENCY = LatencySettings(latency_size=(64, 128))


def size(variables) -> int:
    return sum(np.asarray(variable).nbytes for variable in variables)


def student(settings=TRAIN, teacher=TEACHER, speed=SPEED):
    return training_step(STUDENT, teacher, settings, 3, speed)


def test_a_pass_is_products_copies_and_starts_three_times():
    speed = MachineSpeed(1 / closed_form.CONVOLUTION_RATE, 4 * closed_form.ELEMENT_COPIES)
    work = Work(macs=10, elements=3, operations=2, trainable=0, statistics=0)
    starts = 2 * closed_form.OPERATION_SECONDS
    assert pass_seconds(work, 4, speed) == pytest.approx(3 * (40 + 12 + starts))
    assert pass_seconds(work, 4, speed, forwards=1) == pytest.approx(40 + 12 + starts)
    on_gpu = dataclasses.replace(speed, device="a GPU")
    macs = 40 * closed_form.CONVOLUTION_RATE
    assert pass_seconds(work, 4, on_gpu, forwards=1) == pytest.approx(macs + 12 + starts)


def test_the_weights_of_a_training_are_those_of_the_built_network():
    network = FasterSegNetwork(STUDENT, 3, auxiliary_heads=True)
    assert student().weight_bytes == size(network.variables)
    assert student().slot_bytes == size(network.trainable_variables)
    average = dataclasses.replace(TRAIN, ema_momentum=0.9, accumulation_steps=2)
    assert student(average).slot_bytes == 3 * size(network.trainable_variables)
    assert student(average).memory_bytes - student().memory_bytes == 2 * student().slot_bytes


@pytest.mark.parametrize(
    ("step", "settings"),
    [(pretrain_step, PretrainSettings(**SHAPES)), (search_step, SearchSettings(**SHAPES))],
)
def test_the_weights_of_a_supernet_are_those_of_the_built_one(step, settings):
    supernet = build_search_space(SUPERNET, 3, seed=0).supernet
    assert step(SUPERNET, settings, 3, SPEED).weight_bytes == size(supernet.variables)
    assert step(SUPERNET, settings, 3, SPEED).slot_bytes == size(supernet.trainable_variables)


def steps(supernet=SUPERNET, speed=SPEED, **changes):
    """A step of every training, with `changes` of its settings."""
    shapes = {**SHAPES, **changes}
    widest = supernet.student_width
    networks = [
        largest_genotype(supernet.num_layers, supernet.base_filters, width)
        for width in (1.0, widest)
    ]
    return [
        pretrain_step(supernet, PretrainSettings(**shapes), 3, speed),
        search_step(supernet, SearchSettings(**shapes), 3, speed),
        training_step(networks[0], None, TrainSettings(**shapes), 3, speed),
        training_step(networks[1], networks[0], TrainSettings(**shapes), 3, speed),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 3},
        {"crop_size": (96, 128)},
        {"supernet": dataclasses.replace(SUPERNET, base_filters=4)},
        {"supernet": dataclasses.replace(SUPERNET, num_layers=5)},
    ],
)
def test_more_of_anything_takes_more_time_and_memory(changes):
    for less, more in zip(steps(), steps(**changes), strict=True):
        assert more.step_seconds > less.step_seconds
        assert more.first_seconds > less.first_seconds
        assert more.memory_bytes > less.memory_bytes


def test_a_faster_machine_takes_less_time_and_as_much_memory():
    for speed in (MachineSpeed(2e11, 1e10), MachineSpeed(1e11, 2e10)):
        for slow, fast in zip(steps(), steps(speed=speed), strict=True):
            assert fast.step_seconds < slow.step_seconds
            assert fast.memory_bytes == slow.memory_bytes


def test_a_step_of_the_search_costs_more_than_one_of_pretraining():
    pretrain, search, *_ = steps()
    assert search.step_seconds > pretrain.step_seconds


def test_a_teacher_beside_the_student_costs():
    alone = student(teacher=None)
    assert student().step_seconds > alone.step_seconds
    assert student().memory_bytes > alone.memory_bytes
    assert student().weight_bytes == alone.weight_bytes


def test_a_gpu_holds_what_a_step_keeps():
    for here, there in zip(steps(), steps(speed=MachineSpeed(1e11, 1e10, "a GPU")), strict=True):
        assert here.gpu_bytes is None
        assert there.memory_bytes - here.memory_bytes == there.weight_bytes - there.gpu_bytes


def test_a_row_is_measured_until_its_median_is_known():
    # No work but the start of its kernels, 1e-4 s, of which a graph has four copies.
    key = OpKey("skip", 1, 1, 1, 1, 1)
    settings = dataclasses.replace(LATENCY, latency_warmup=2, latency_repetitions=10)
    call = 2 * closed_form.CALL_SECONDS + 4 * closed_form.ROW_OPERATION_SECONDS
    spread = closed_form.ROW_SPREAD + closed_form.CALL_SPREAD_SECONDS / 1e-4
    enough = math.ceil((2.4565 * spread / 0.1) ** 2)
    assert closed_form.ROW_OPERATION_SECONDS == 1e-4
    assert 10 < enough < 300
    least, all_of_them = row_seconds(key, settings_of(settings, 0.1), SPEED)
    assert least == pytest.approx(closed_form.ROW_SECONDS + 12 * call)
    assert all_of_them == pytest.approx(closed_form.ROW_SECONDS + (2 + enough) * call)
    # Never more than 300 times, nor less than is asked for.
    _, precise = row_seconds(key, settings_of(settings, 1e-4), SPEED)
    assert precise == pytest.approx(closed_form.ROW_SECONDS + 302 * call)
    assert row_seconds(key, settings_of(settings, 0.9), SPEED) == (least, least)


def test_what_surrounds_a_network_is_timed_without_an_empty_graph():
    settings = settings_of(dataclasses.replace(LATENCY, latency_warmup=2), 0.9)
    key = OpKey("serving", 64, 128, 3, 5, 1)
    logits = closed_form.SERVING_COPIES * 4 * 64 * 128 * 5 / 1e10
    expected = closed_form.ROW_SECONDS + 12 * (closed_form.CALL_SECONDS + logits)
    assert row_seconds(key, settings, SPEED) == pytest.approx((expected, expected))


def settings_of(settings, precision):
    return dataclasses.replace(settings, latency_precision=precision)


def test_a_table_keeps_to_its_budget_beyond_the_least_measurements():
    rows = len(measured_keys(SUPERNET, (64, 128), 3))

    def table(minutes):
        settings = dataclasses.replace(LATENCY, latency_time_budget=minutes)
        return rows * operations_step(SUPERNET, settings, 3, SPEED).step_seconds

    free, least = table(None), table(1e-6)
    assert least < free
    assert table(free / 120) == pytest.approx(max(least, free / 2))
    assert table(1000.0) == pytest.approx(free)
