"""Solution space regularization against its closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.losses.solution_space_regularization import (
    LEAST_PROBABILITY,
    SolutionSpaceRegularizer,
    normalized_sigmoid,
)

regularizer = SolutionSpaceRegularizer()


def ssr_of(logits, valid=None):
    valid = np.ones(logits.shape, bool) if valid is None else valid
    return regularizer(normalized_sigmoid(logits, valid))


def test_probabilities_are_normalised_sigmoids_of_the_valid_entries():
    logits = np.float32([[0.5, -2.0, 3.0, 1.0]])
    valid = np.array([[True, True, False, True]])
    sigmoids = np.where(valid, 1 / (1 + np.exp(-logits)), 0)
    np.testing.assert_allclose(
        normalized_sigmoid(logits, valid), sigmoids / sigmoids.sum(), rtol=1e-6
    )


def test_probabilities_of_very_small_logits_are_finite():
    found = normalized_sigmoid(np.float32([-1000.0, -1001.0]), np.array([True, True]))
    np.testing.assert_allclose(found, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], rtol=1e-5)


@pytest.mark.parametrize("choices", [2, 9, 10])
def test_a_uniform_group_has_value_and_gradient_zero_and_a_known_hessian(choices):
    logits = tf.zeros((choices,))
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as inner:
            inner.watch(logits)
            value = ssr_of(logits)
        gradient = inner.gradient(value, logits)
    hessian = outer.jacobian(gradient, logits)
    assert float(value) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-8)
    expected = -(np.eye(choices) - np.ones((choices, choices)) / choices) / (4 * choices)
    np.testing.assert_allclose(hessian, expected, atol=1e-8)


def test_one_entry_of_ten_ten_times_as_likely():
    values = np.float32([1.0] + [0.1] * 9)
    assert float(regularizer(values / values.sum())) == pytest.approx(-0.411595, abs=1e-6)


def test_invalid_entries_count_as_one():
    probabilities = np.float32([[0.25, 0.75, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    expected = np.mean([(np.log(0.25) + np.log(0.75)) / 4, 0]) + np.log(4)
    assert float(regularizer(probabilities)) == pytest.approx(expected, rel=1e-6)


def test_a_vanishing_entry_neither_diverges_nor_has_a_gradient():
    logits = tf.constant([0.0, -1000.0, -40.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = ssr_of(logits)
    gradient = tape.gradient(value, logits)
    # An underflow to exactly 0 counts as invalid.
    expected = np.log(LEAST_PROBABILITY) / 3 + np.log(3)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[1:], 0, atol=1e-12)


def test_minimising_it_decides_a_group():
    logits = tf.Variable([0.1, 0.0, 0.0, -0.1])
    for _ in range(300):
        with tf.GradientTape() as tape:
            value = ssr_of(logits)
        logits.assign_sub(20.0 * tape.gradient(value, logits))
    assert np.argmax(logits) == 0
    assert float(value) < -5


def test_it_is_a_keras_regularizer():
    restored = keras.regularizers.deserialize(
        keras.regularizers.serialize(SolutionSpaceRegularizer(30.0))
    )
    probabilities = np.float32([0.2, 0.8])
    assert float(restored(probabilities)) == pytest.approx(30 * float(regularizer(probabilities)))
