"""From settings to the optimizer and its learning rate, against the formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.run.optimizers import (
    architecture_optimizer,
    check_optimizer,
    learning_rate_schedule,
    pretraining_optimizer,
    search_optimizer,
    training_optimizer,
)
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.training.l2_adam import L2Adam
from keras_fasterseg.training.l2_sgd import L2SGD

STEPS = 4


def weights():
    """A kernel and a bias."""
    return [keras.Variable(np.ones(shape, "float32")) for shape in ((3, 2), (2,))]


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


def test_cosine_ends_at_zero():
    expected = [0.1 * (1 + np.cos(np.pi * step / 20)) for step in range(20)]
    assert rates(schedule="cosine") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("schedule", ["polynomial", "cosine"])
def test_a_search_may_end_above_zero(schedule):
    settings = SearchSettings(
        epochs=5, schedule=schedule, learning_rate=0.025, learning_rate_end=0.001
    )
    found = [float(learning_rate_schedule(settings, STEPS)(step)) for step in (0, 10, 20)]
    middle = 0.5 if schedule == "cosine" else 0.5**0.9
    assert found == pytest.approx([0.025, 0.001 + 0.024 * middle, 0.001], rel=1e-4)


@pytest.mark.parametrize("schedule", ["exponential", "polynomial", "cosine"])
def test_warmup_leaves_the_epochs_after_it_alone(schedule):
    plain = rates(schedule=schedule)
    warm = rates(schedule=schedule, warmup_epochs=1.5)
    shares = [min(step / 6, 1) for step in range(20)]
    assert warm == pytest.approx(np.multiply(plain, shares).tolist(), rel=1e-5)


def test_the_rate_of_an_epoch_does_not_depend_on_accumulation():
    settings = TrainSettings(
        epochs=3, learning_rate=0.2, learning_rate_decay=0.5, accumulation_steps=2
    )
    variable = keras.Variable(np.zeros(1, "float32"))
    optimizer = training_optimizer(settings, STEPS, [variable])
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
    optimizer = training_optimizer(settings, STEPS, weights())
    assert (optimizer.momentum, optimizer.l2) == (0.8, 1e-3)
    assert optimizer.gradient_accumulation_steps == 3
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.95)


def test_the_defaults_are_plain():
    optimizer = training_optimizer(TrainSettings(), STEPS, weights())
    assert optimizer.gradient_accumulation_steps is None
    assert not optimizer.use_ema


def test_only_float16_scales_its_loss():
    for precision, scale in (("float32", 1), ("mixed_bfloat16", 1), ("mixed_float16", 2**15)):
        optimizer = training_optimizer(TrainSettings(precision=precision), STEPS, weights())
        assert float(optimizer.scale_loss(1.0)) == scale


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lion"}, "one of sgd, adam, adamw. Received: optimizer=lion"),
        ({"schedule": "step"}, "exponential, polynomial, cosine. Received: schedule=step"),
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
    for check in (check_optimizer, lambda settings: training_optimizer(settings, STEPS, weights())):
        with pytest.raises(ValueError, match=message):
            check(TrainSettings(**options))


def rates_of_steps(optimizer, steps):
    variable = keras.Variable(np.float32([1.0]))
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([np.float32([0.0])], [variable])
    return rates


@pytest.mark.parametrize(
    ("make", "kind"),
    [(pretraining_optimizer, PretrainSettings), (search_optimizer, SearchSettings)],
)
def test_the_rate_of_a_supernet_falls_from_epoch_to_epoch(make, kind):
    settings = kind(learning_rate=0.02, learning_rate_decay=0.5, momentum=0.8, weight_decay=1e-3)
    optimizer = make(settings, steps_per_epoch=3)
    assert rates_of_steps(optimizer, 7) == pytest.approx([0.02] * 3 + [0.01] * 3 + [0.005])
    assert isinstance(optimizer, L2SGD)
    assert (optimizer.momentum, optimizer.l2, optimizer.global_clipnorm) == (0.8, 1e-3, 5.0)


def test_a_search_may_use_adam_under_a_polynomial_schedule():
    settings = SearchSettings(
        optimizer="adam", schedule="polynomial", epochs=2, learning_rate=0.02, weight_decay=1e-4
    )
    optimizer = search_optimizer(settings, steps_per_epoch=3)
    expected = [0.02 * (1 - step / 6) ** 0.9 for step in range(6)]
    assert rates_of_steps(optimizer, 6) == pytest.approx(expected, rel=1e-4)
    assert isinstance(optimizer, L2Adam)
    assert (optimizer.l2, optimizer.global_clipnorm) == (1e-4, 5.0)
    assert (optimizer.beta_1, optimizer.beta_2) == (0.9, 0.999)


def test_a_training_may_use_adam():
    settings = TrainSettings(optimizer="adam", weight_decay=1e-3, ema_momentum=0.95)
    optimizer = training_optimizer(settings, STEPS, weights())
    assert isinstance(optimizer, L2Adam)
    assert (optimizer.l2, optimizer.use_ema, optimizer.ema_momentum) == (1e-3, True, 0.95)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("kernels_only", [False, True])
def test_a_decay_shrinks_weights(optimizer, kernels_only, precision):
    """Without gradients, the first step is that of the decay alone."""
    settings = TrainSettings(
        optimizer=optimizer,
        learning_rate=0.1,
        weight_decay=0.01,
        decay_kernels_only=kernels_only,
        precision=precision,
    )
    kernel, bias = weights()
    made = training_optimizer(settings, STEPS, [kernel, bias])
    made.apply([tf.zeros(each.shape) for each in (kernel, bias)])
    expected = [1 - 0.1 * 0.01, 1.0 if kernels_only else 1 - 0.1 * 0.01]
    for weight, value in zip((kernel, bias), expected, strict=True):
        np.testing.assert_allclose(np.array(weight), value, rtol=1e-6)


def test_architectures_use_adam_with_their_own_settings():
    optimizer = architecture_optimizer(SearchSettings())
    assert float(optimizer.learning_rate) == pytest.approx(3e-4)
    assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)
    assert (optimizer.l2, optimizer.global_clipnorm) == (0.0, None)
    settings = SearchSettings(
        architecture_learning_rate=2e-3,
        architecture_beta_1=0.9,
        architecture_weight_decay=1e-3,
        architecture_clip_norm=5.0,
    )
    optimizer = architecture_optimizer(settings)
    assert float(optimizer.learning_rate) == pytest.approx(2e-3)
    assert (optimizer.beta_1, optimizer.l2, optimizer.global_clipnorm) == (0.9, 1e-3, 5.0)
