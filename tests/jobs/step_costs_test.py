"""Steps by arithmetic: hand-computed values, built models, and what must make a step larger."""

import dataclasses

import numpy as np
import pytest

from keras_fasterseg.available_cores import AvailableCores
from keras_fasterseg.jobs import step_costs
from keras_fasterseg.jobs.step_costs import MachineSpeed, computed_step, measure_speed, row_seconds
from keras_fasterseg.latency.operations import Work
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.stages import LatencySettings, RunSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

SPEED = MachineSpeed(1e11, 1e10)
SPACE = FasterSegSpace(FasterSegSettings(4, 2, (0.5, 1.0), 0.5))
TRAININGS = ("pretrain", "search", TEACHER, STUDENT)


def settings(space=SPACE, **changes) -> RunSettings:
    """Small settings of every training, with `changes` of their shapes."""
    shapes = {"batch_size": 2, "crop_size": (64, 128), **changes}
    return RunSettings(
        space=space,
        pretrain=PretrainSettings(**shapes),
        search=SearchSettings(**shapes),
        teacher=TrainSettings(**shapes),
        student=TrainSettings(**shapes),
    )


def networks(space=SPACE):
    return {role: space.largest_genotype(role) for role in space.roles}


def steps(run=None, speed=SPEED):
    run = run or settings()
    return [computed_step(name, run, 3, networks(run.space), speed) for name in TRAININGS]


def size(variables) -> int:
    return sum(np.asarray(variable).nbytes for variable in variables)


def test_a_pass_is_products_copies_and_starts():
    speed = MachineSpeed(1.0, 4.0)
    work = Work(macs=10, elements=3, operations=2)
    starts = 2 * step_costs.OPERATION_SECONDS
    assert speed.forward(work, 4, copies=5) == pytest.approx(40 + 5 * 12 + starts)


@pytest.mark.backends("tensorflow", "jax")
def test_weights_are_those_of_the_built_networks():
    supernet = SPACE.search_model(3, seed=0).supernet
    network = SPACE.build(networks()[STUDENT], 3, auxiliary_heads=True)
    pretrain, search, _, student = steps()
    for step, built in ((pretrain, supernet), (search, supernet), (student, network)):
        assert step.weight_bytes == size(built.variables)
        assert step.slot_bytes == size(built.trainable_variables)


def test_averages_and_accumulated_gradients_are_kept_beside_the_momenta():
    run = settings()
    both = dataclasses.replace(run.teacher, ema_momentum=0.9, accumulation_steps=2)
    less, more = steps(run)[2], steps(dataclasses.replace(run, teacher=both))[2]
    assert more.slot_bytes == 3 * less.slot_bytes
    assert more.memory_bytes - less.memory_bytes == 2 * less.slot_bytes


def test_adam_keeps_two_averages_of_the_gradients_of_every_weight():
    run = settings()
    adam = {
        name: dataclasses.replace(getattr(run, name), optimizer="adam")
        for name in ("search", STUDENT)
    }
    pairs = zip(steps(run), steps(dataclasses.replace(run, **adam)), strict=True)
    assert [more.slot_bytes / less.slot_bytes for less, more in pairs] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "more",
    [
        settings(batch_size=3),
        settings(crop_size=(96, 128)),
        settings(FasterSegSpace(FasterSegSettings(4, 4, (0.5, 1.0), 0.5))),
    ],
    ids=["batch", "crop", "filters"],
)
def test_more_of_anything_takes_more_time_and_memory(more):
    for less, larger in zip(steps(), steps(more), strict=True):
        assert larger.step_seconds > less.step_seconds
        assert larger.memory_bytes > less.memory_bytes


def test_a_second_pass_and_a_teacher_cost():
    pretrain, search, _, student = steps()
    assert search.step_seconds == pytest.approx(1.6 * pretrain.step_seconds)
    alone = computed_step(STUDENT, settings(), 3, {STUDENT: networks()[STUDENT]}, SPEED)
    assert student.step_seconds > alone.step_seconds
    assert student.memory_bytes > alone.memory_bytes
    assert student.weight_bytes == alone.weight_bytes


def test_a_gpu_holds_what_a_step_keeps():
    there = steps(speed=dataclasses.replace(SPEED, on_gpu=True))
    for here, step in zip(steps(), there, strict=True):
        assert here.gpu_bytes is None
        assert step.memory_bytes - here.memory_bytes == step.weight_bytes - step.gpu_bytes


def test_a_row_is_measured_until_its_median_is_known():
    # It takes .1 ms, of which a graph has four copies, and a standard deviation of .32 of it.
    def row(precision, **budget):
        latency = LatencySettings(
            latency_warmup=2, latency_repetitions=10, latency_precision=precision
        )
        return row_seconds(Work(operations=1), latency, SPEED, **budget)

    once = 2 * step_costs.CALL_SECONDS + 4 * 1e-4
    # (1.96 * sqrt(pi / 2) * .32 / .1) ** 2 = 61.8
    assert row(0.1) == pytest.approx(step_costs.ROW_SECONDS + (2 + 62) * once)
    assert row(1e-4) == pytest.approx(step_costs.ROW_SECONDS + (2 + 300) * once)
    least = step_costs.ROW_SECONDS + (2 + 10) * once
    assert row(0.9) == pytest.approx(least)
    assert row(1e-4, budget=least + 0.01) == pytest.approx(least + 0.01)
    assert row(1e-4, budget=0.01) == pytest.approx(least)


def test_rates_are_work_over_time_on_every_physical_core(monkeypatch):
    monkeypatch.setattr(step_costs, "measure_callable", lambda function, **_: [0.75, 0.5])
    monkeypatch.setattr(step_costs.backend_device(), "device_name", lambda: "CPU")
    # Four physical cores, of whose time a quota leaves two and a half.
    monkeypatch.setattr(step_costs, "available_cores", lambda: AvailableCores(8, 4, 2.5))
    rate = step_costs.CONVOLUTION_RATE * 2 * 32 * 64**3 / 0.5
    assert measure_speed() == MachineSpeed(rate, 2**26 / 0.5)
