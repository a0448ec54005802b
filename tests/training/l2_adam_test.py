import math

import keras
import numpy as np
import pytest

from keras_fasterseg.training.l2_adam import L2Adam
from tests.training.l2_sgd_test import START, STEPS, gradients_of, run

RATE, L2, BETA_1, BETA_2, EPSILON = 0.1, 0.3, 0.8, 0.99, 1e-7
OPTIONS = {"beta_1": BETA_1, "beta_2": BETA_2}


def formula(l2, clip=math.inf):
    """Kingma and Ba, algorithm 1 (epsilon as in section 2), on `clipped gradient + l2 * w`."""
    weights = [value.astype("float64") for value in START]
    means, squares = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    for step in range(STEPS):
        gradients = [gradient.astype("float64") for gradient in gradients_of(step)]
        norm = math.sqrt(sum(np.sum(gradient**2) for gradient in gradients))
        rate = RATE * math.sqrt(1 - BETA_2 ** (step + 1)) / (1 - BETA_1 ** (step + 1))
        for index, gradient in enumerate(gradients):
            total = gradient * min(1.0, clip / norm) + l2 * weights[index]
            means[index] = BETA_1 * means[index] + (1 - BETA_1) * total
            squares[index] = BETA_2 * squares[index] + (1 - BETA_2) * total**2
            weights[index] = weights[index] - rate * means[index] / (
                np.sqrt(squares[index]) + EPSILON
            )
    return weights


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize(("l2", "clip"), [(0.0, None), (L2, None), (L2, 0.5), (L2, 100.0)])
def test_equals_the_formula(l2, clip, traced):
    found = run(L2Adam(RATE, l2=l2, global_clipnorm=clip, **OPTIONS), traced)
    # Four steps of float32: their rounding errors relative to weights of about 1.
    for one, other in zip(found, formula(l2, clip or math.inf), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_first_step_has_the_length_of_the_rate_against_gradient_plus_l2():
    """The first means are gradient and square: the step is the rate times the sign."""
    variable = keras.Variable(np.float32([4.0, 1.0]))
    L2Adam(RATE, l2=L2).apply([np.float32([-1.0, -1.0])], [variable])
    # -1 + .3 * 4 > 0, -1 + .3 * 1 < 0.
    np.testing.assert_allclose(variable, [4.0 - RATE, 1.0 + RATE], rtol=1e-5)


@pytest.mark.parametrize("traced", [False, True])
def test_without_l2_it_is_keras_adam_bit_by_bit(traced):
    expected = run(keras.optimizers.Adam(RATE, **OPTIONS), traced)
    for one, other in zip(run(L2Adam(RATE, **OPTIONS), traced), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_l2_is_not_the_decoupled_decay_of_adamw():
    decoupled = run(keras.optimizers.AdamW(RATE, weight_decay=L2, **OPTIONS))
    assert not np.allclose(run(L2Adam(RATE, l2=L2, **OPTIONS))[0], decoupled[0], atol=1e-3)


def test_averages_and_accumulation_are_those_of_the_base_class():
    """Two calls with the same gradient are one step with it: their mean."""
    options = {"l2": L2, "use_ema": True, "ema_momentum": 0.8, **OPTIONS}
    optimizers = (
        L2Adam(RATE, gradient_accumulation_steps=2, **options),
        L2Adam(RATE, **options),
    )
    found = []
    for optimizer, repetitions in zip(optimizers, (2, 1), strict=True):
        variables = [keras.Variable(value) for value in START]
        optimizer.build(variables)
        for step in range(2):
            for _ in range(repetitions):
                optimizer.apply(gradients_of(step), variables)
        found.append([np.array(each) for each in [*variables, *optimizer.averages]])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_config_round_trip():
    optimizer = L2Adam(0.05, l2=0.01, beta_1=0.5, global_clipnorm=2.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, L2Adam)
    assert copy.get_config() == optimizer.get_config()
    assert (copy.l2, copy.beta_1, copy.global_clipnorm) == (0.01, 0.5, 2.0)
