"""A few steps in a process of their own: what they are of, and what may become of them."""

import os

import keras
import pytest

from keras_fasterseg.jobs.step_measurements import measure_apart, prepare_step
from keras_fasterseg.search.search_trainer import SearchTrainer
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from tests.jobs.step_costs_test import SPACE, networks, settings, size

PLENTY = 10**12


def test_a_training_is_measured_on_this_machine():
    cost = measure_apart("student", settings(), 3, networks(), 300, PLENTY)
    network = SPACE.build(networks()["student"], 3, auxiliary_heads=True)
    assert cost.weight_bytes == size(network.variables)
    # A momentum for each weight; besides, the count of steps and the learning rate.
    assert 0 < cost.slot_bytes - size(network.trainable_variables) <= 32
    assert cost.first_seconds > 0
    assert cost.step_seconds > 0
    if keras.backend.backend() != "torch":
        # Tracing takes seconds; PyTorch runs operation by operation.
        assert cost.first_seconds > cost.step_seconds
    assert cost.memory_bytes > 10**8


@pytest.mark.parametrize(
    ("limits", "error", "message"),
    [
        ((0.0, PLENTY), RuntimeError, "a few steps took more than 0 s"),
        ((300, 10**7), MemoryError, "a few steps needed more than the free 0.01 GB"),
    ],
)
def test_one_beyond_a_limit_is_ended(limits, error, message):
    with pytest.raises(error, match=message):
        measure_apart("student", settings(), 3, networks(), *limits)


class Killed(dict):
    """Arguments whose arrival ends the process."""

    def __reduce__(self):
        return _end, (self["status"],)


def _end(status: int) -> None:
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (
            -9,
            MemoryError,
            r"the system killed the measuring process \(signal 9\), because memory ran out",
        ),
        (3, RuntimeError, "the measuring process ended with status 3"),
    ],
)
def test_one_that_dies_says_how(status, error, message):
    with pytest.raises(error, match=message):
        measure_apart("student", settings(), 3, Killed(status=status), 300, PLENTY)


def test_one_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError: 'student'"):
        measure_apart("student", settings(), 3, {}, 300, PLENTY)


@pytest.mark.backends("tensorflow", "jax")
def test_supernets_are_trained_as_by_the_jobs():
    trainer, network, (images, labels) = prepare_step("pretrain", settings(), 3, {})
    assert isinstance(trainer, SupernetPretrainer)
    assert network is trainer.supernet
    assert images.shape == (2, 64, 128, 3)
    assert labels.shape == (2, 64, 128)
    trainer, _, batch = prepare_step("search", settings(), 3, {})
    assert isinstance(trainer, SearchTrainer)
    assert len(batch) == 2
    assert trainer.penalty is not None


def test_a_student_has_its_teacher_beside_it():
    trainer, network, _ = prepare_step("student", settings(), 3, networks())
    assert trainer.network is network
    assert network.auxiliary_heads
    assert trainer.teacher.genotype == networks()["teacher"]
    assert prepare_step("teacher", settings(), 3, networks())[0].teacher is None
