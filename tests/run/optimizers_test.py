"""From settings to the optimizer and its learning rate, against the formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.run.optimizers import (
    check_optimizer,
    decaying_sgd,
    learning_rate_schedule,
    training_optimizer,
)
from keras_fasterseg.settings.stages import TrainSettings

STEPS = 4


def rates(**options):
    """The learning rate of every step of all epochs."""
    settings = TrainSettings(epochs=5, learning_rate=0.2, **options)
    schedule = learning_rate_schedule(settings, STEPS)
    return [float(schedule(step)) for step in range(5 * STEPS)]


def test_exponential_falls_from_epoch_to_epoch():
    expected = [0.2 * 0.5 ** (step // STEPS) for step in range(20)]
    assert rates(learning_rate_decay=0.5) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("power", [0.9, 1.0, 2.0])
def test_polynomial_ends_at_zero(power):
    found = rates(schedule="polynomial", polynomial_power=power)
    expected = [0.2 * (1 - step / 20) ** power for step in range(20)]
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("schedule", ["exponential", "polynomial"])
def test_warmup_leaves_the_epochs_after_it_alone(schedule):
    plain = rates(schedule=schedule)
    warm = rates(schedule=schedule, warmup_epochs=1.5)
    shares = [min(step / 6, 1) for step in range(20)]
    assert warm == pytest.approx(np.multiply(plain, shares).tolist(), rel=1e-5)


def test_the_rate_of_an_epoch_does_not_depend_on_accumulation():
    settings = TrainSettings(
        epochs=3, learning_rate=0.2, learning_rate_decay=0.5, accumulation_steps=2
    )
    optimizer = training_optimizer(settings, STEPS)
    variable = keras.Variable(np.zeros(1, "float32"))
    found = []
    for _ in range(3 * STEPS):
        found.append(float(optimizer.learning_rate))
        optimizer.apply([tf.zeros(1)], [variable])
    assert found == pytest.approx([0.2] * STEPS + [0.1] * STEPS + [0.05] * STEPS)
    assert int(optimizer.iterations) == 3 * STEPS // 2


def test_every_setting_arrives():
    settings = TrainSettings(
        momentum=0.8, weight_decay=1e-3, accumulation_steps=3, ema_momentum=0.95
    )
    optimizer = training_optimizer(settings, STEPS)
    assert (optimizer.momentum, optimizer.l2) == (0.8, 1e-3)
    assert optimizer.gradient_accumulation_steps == 3
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.95)


def test_the_defaults_are_plain():
    optimizer = training_optimizer(TrainSettings(), STEPS)
    assert optimizer.gradient_accumulation_steps is None
    assert not optimizer.use_ema


def test_only_float16_scales_its_loss():
    for precision, scale in (("float32", 1), ("mixed_bfloat16", 1), ("mixed_float16", 2**15)):
        optimizer = training_optimizer(TrainSettings(precision=precision), STEPS)
        assert float(optimizer.scale_loss(1.0)) == scale


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "cosine"}, "one of exponential, polynomial. Received: schedule=cosine"),
        ({"precision": "float16"}, "one of float32, .*mixed_float16. Received: precision=float16"),
        ({"polynomial_power": 0.0}, "polynomial_power=0.0"),
        ({"warmup_epochs": -1.0}, "warmup_epochs=-1.0"),
        ({"warmup_epochs": 3.0, "epochs": 3}, "warmup_epochs=3.0, epochs=3"),
        ({"accumulation_steps": 0}, "accumulation_steps=0"),
        ({"ema_momentum": 1.0}, "ema_momentum=1.0"),
        ({"ema_momentum": -0.1}, "ema_momentum=-0.1"),
    ],
)
def test_says_which_setting_is_wrong(options, message):
    for check in (check_optimizer, lambda settings: training_optimizer(settings, STEPS)):
        with pytest.raises(ValueError, match=message):
            check(TrainSettings(**options))


def test_the_rate_falls_from_epoch_to_epoch():
    optimizer = decaying_sgd(0.02, 0.5, steps_per_epoch=3, momentum=0.9, l2=1e-3, clip_norm=5.0)
    variable = keras.Variable(np.float32([1.0]))
    rates = []
    for _ in range(7):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([np.float32([0.0])], [variable])
    assert rates == pytest.approx([0.02] * 3 + [0.01] * 3 + [0.005])
    assert (optimizer.momentum, optimizer.l2, optimizer.global_clipnorm) == (0.9, 1e-3, 5.0)
