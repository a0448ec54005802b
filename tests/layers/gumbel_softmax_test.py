"""The sampler against its formula in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.gumbel_softmax import gumbel_softmax, straight_through_gate


def soft_sample(logits: np.ndarray, uniform: np.ndarray, temperature: float) -> np.ndarray:
    """The relaxed sample, in float64."""
    logits, uniform = logits.astype("float64"), uniform.astype("float64")
    noise = -np.log(-np.log(uniform + 1e-20) + 1e-20)
    scores = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    scores = np.exp((np.log(scores) + noise) / temperature)
    return scores / scores.sum(-1, keepdims=True)


def draws(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(len(shape))
    return (
        generator.normal(size=shape).astype("float32"),
        generator.uniform(size=shape).astype("float32"),
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(5,), (15, 5), (2, 3, 4)])
def test_value_is_one_hot_at_the_largest_and_gradient_that_of_the_soft_sample(shape, temperature):
    logits, uniform = draws(*shape)
    cotangent = np.random.default_rng(7).normal(size=shape)
    soft = soft_sample(logits, uniform, temperature)
    # The softmax's own Jacobian; the log-softmax before it shifts all entries alike.
    inner = (soft * cotangent).sum(-1, keepdims=True)
    expected = soft * (cotangent - inner) / temperature
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        sample = gumbel_softmax(variable, tf.constant(uniform), temperature)
        total = tf.reduce_sum(sample * cotangent.astype("float32"))
    np.testing.assert_array_equal(sample, np.eye(shape[-1])[soft.argmax(-1)])
    np.testing.assert_allclose(tape.gradient(total, variable), expected, atol=1e-5)


def test_one_hot_in_a_compiled_graph():
    logits, uniform = draws(64, 5)
    compiled = tf.function(gumbel_softmax, jit_compile=True)
    expected = np.eye(5)[soft_sample(logits, uniform, 1.0).argmax(-1)]
    np.testing.assert_array_equal(compiled(tf.constant(logits), tf.constant(uniform)), expected)


def test_frequencies_are_the_probabilities():
    logits = np.log(np.array([0.1, 0.2, 0.7], "float32"))
    uniform = np.random.default_rng(0).uniform(size=(20_000, 3)).astype("float32")
    sample = gumbel_softmax(keras.ops.broadcast_to(logits, uniform.shape), uniform)
    # Four standard deviations of a share of 20,000 draws are at most 1.4 %.
    np.testing.assert_allclose(np.mean(sample, axis=0), [0.1, 0.2, 0.7], atol=0.014)


@pytest.mark.parametrize("extreme", [0.0, 1 - 2**-24])
def test_noise_at_its_ends_stays_finite(extreme):
    uniform = np.array([extreme, 0.5, 0.5, 0.5, 0.5], "float32")
    logits = tf.Variable(np.zeros(5, "float32"))
    with tf.GradientTape() as tape:
        sample = gumbel_softmax(logits, uniform)
        total = tf.reduce_sum(sample * np.arange(5, dtype="float32"))
    np.testing.assert_array_equal(sample, np.eye(5)[0 if extreme else 1])
    assert np.isfinite(tape.gradient(total, logits)).all()


def test_gate_is_one_and_carries_the_gradient_of_the_sampled_entry():
    sample = tf.constant(np.eye(5, dtype="float32")[[3, 0]])
    with tf.GradientTape() as tape:
        tape.watch(sample)
        gate = straight_through_gate(sample)
        total = tf.reduce_sum(gate * tf.constant([2.0, -1.0]))
    np.testing.assert_array_equal(gate, [1, 1])
    np.testing.assert_array_equal(tape.gradient(total, sample), np.eye(5)[[3, 0]] * [[2.0], [-1.0]])
