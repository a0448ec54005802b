"""Both ways of normalising by a batch against NumPy, and their gradients against each other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.batch_normalize import batch_normalize

EPSILON = 1e-5


@pytest.fixture(params=["fused", "spelled out"])
def normalize(request, monkeypatch):
    if request.param == "spelled out":
        # What another backend runs; `keras.ops` serve it here too.
        monkeypatch.setattr(keras.backend, "backend", lambda: "another")
    return batch_normalize


@pytest.fixture
def values():
    generator = np.random.default_rng(0)
    inputs = generator.normal(3.0, 2.0, (2, 5, 7, 4)).astype("float32")
    return inputs, generator.normal(size=4).astype("float32"), np.arange(4, dtype="float32")


def test_against_numpy(normalize, values):
    inputs, gamma, beta = values
    outputs, mean, variance = normalize(*map(tf.constant, values), EPSILON)
    flat = inputs.astype("float64").reshape(-1, 4)
    expected = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + EPSILON) * gamma + beta
    # Sums over 70 float32 values of size 3.
    np.testing.assert_allclose(np.reshape(outputs, (-1, 4)), expected, atol=2e-5)
    np.testing.assert_allclose(mean, flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, flat.var(0, ddof=1), rtol=1e-5)


def test_gradients_against_the_closed_form(normalize, values):
    inputs, gamma, beta = map(tf.constant, values)
    cotangent = np.random.default_rng(1).normal(size=inputs.shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch([inputs, gamma, beta])
        total = tf.reduce_sum(normalize(inputs, gamma, beta, EPSILON)[0] * cotangent)
    gradients = tape.gradient(total, [inputs, gamma, beta])

    flat, dy = (np.reshape(array, (-1, 4)).astype("float64") for array in (values[0], cotangent))
    inverse = 1 / np.sqrt(flat.var(0) + EPSILON)
    normal = (flat - flat.mean(0)) * inverse
    dx = values[1] * inverse * (dy - dy.mean(0) - normal * (dy * normal).mean(0))
    np.testing.assert_allclose(np.reshape(gradients[0], (-1, 4)), dx, atol=2e-5)
    np.testing.assert_allclose(gradients[1], (dy * normal).sum(0), atol=2e-4)
    np.testing.assert_allclose(gradients[2], dy.sum(0), atol=2e-4)


def test_statistics_carry_no_gradient(normalize, values):
    inputs, gamma, beta = map(tf.constant, values)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        _, mean, variance = normalize(inputs, gamma, beta, EPSILON)
        total = tf.reduce_sum(mean + variance)
    assert tape.gradient(total, inputs) is None
