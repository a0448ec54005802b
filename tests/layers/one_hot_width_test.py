"""Several settings along a batch against each setting alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.batch_normalize import batch_normalize, moving_average_shares
from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization
from keras_fasterseg.layers.mixed_op import MixedOp
from keras_fasterseg.layers.one_hot_width import OneHotWidth
from keras_fasterseg.layers.slimmable_conv2d import scale_settings
from keras_fasterseg.layers.switchable_batch_normalization import SwitchableBatchNormalization

WIDTHS = (0.5, 1.0)
# The same width twice in a row, and again after another one.
ONE_HOT = np.float32([[0, 1], [0, 1], [1, 0], [0, 1]])
SETTINGS, BATCH, CHANNELS = len(ONE_HOT), 2, 16


def random_inputs(seed=0):
    shape = (SETTINGS * BATCH, 4, 6, CHANNELS)
    return np.random.default_rng(seed).normal(1.0, 2.0, shape).astype("float32")


def parts(values):
    return np.split(np.asarray(values), SETTINGS)


def test_it_is_made_once_and_selects_in_float32():
    width = OneHotWidth(tf.constant(ONE_HOT[0], tf.bfloat16))
    assert OneHotWidth.of(width) is width
    assert not width.has_settings
    rows = np.float32([[1.0001, 2], [3, 4.0001]])
    np.testing.assert_array_equal(width.select(rows), rows[1])
    assert width.mask(16, WIDTHS) is width.mask(16, WIDTHS)
    np.testing.assert_array_equal(OneHotWidth(ONE_HOT).mask(16, WIDTHS)[2], [1] * 8 + [0] * 8)


def test_shares_are_those_of_one_update_after_the_other():
    momentum, values = 0.9, np.random.default_rng(0).normal(size=(SETTINGS, 3))
    rows = np.random.default_rng(1).normal(size=(2, 3))
    old, new = (np.asarray(each, "float64") for each in moving_average_shares(ONE_HOT, momentum))
    together = old * rows + new @ values
    for one_hot, value in zip(ONE_HOT, values, strict=True):
        row = int(np.argmax(one_hot))
        rows[row] = momentum * rows[row] + (1 - momentum) * value
    np.testing.assert_allclose(together, rows, rtol=1e-6)


@pytest.mark.parametrize("with_offset", [False, True])
def test_each_setting_has_its_scale_and_offset(with_offset):
    scale, offset = (
        np.random.default_rng(seed).normal(size=(SETTINGS, CHANNELS)) for seed in (0, 1)
    )
    inputs = random_inputs()
    result = scale_settings(
        tf.constant(inputs), tf.constant(scale), tf.constant(offset) if with_offset else None
    )
    for index, part in enumerate(parts(inputs)):
        expected = part * scale[index] + (offset[index] if with_offset else 0)
        np.testing.assert_allclose(parts(result)[index], expected, rtol=1e-5, atol=1e-5)


def run(layer, inputs, upstream, **arguments):
    """Output, gradients to the inputs and the trainable weights, and the statistics afterwards."""
    inputs = tf.constant(inputs)
    weights = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True, **arguments)
        total = tf.reduce_sum(outputs * upstream)
    by_input, by_weight = tape.gradient(total, [inputs, weights])
    statistics = [np.array(weight) for weight in layer.non_trainable_weights]
    return outputs, by_input, by_weight, statistics


def assert_equals_apart(layer, together, one):
    """`one(index)` runs one setting; statistics move from each to the next."""
    start = [np.array(weight) for weight in layer.non_trainable_weights]
    outputs, by_input, by_weight, statistics = together()
    for weight, value in zip(layer.non_trainable_weights, start, strict=True):
        weight.assign(value)
    apart = [one(index) for index in range(SETTINGS)]
    for index, each in enumerate(apart):
        np.testing.assert_allclose(parts(outputs)[index], each[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(parts(by_input)[index], each[1], rtol=1e-3, atol=1e-4)
    for gradient, *each in zip(by_weight, *(run[2] for run in apart), strict=True):
        size = max(1.0, float(np.abs(gradient).max()))
        np.testing.assert_allclose(gradient, sum(map(np.asarray, each)), atol=1e-4 * size)
    for value, expected in zip(statistics, apart[-1][3], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_switchable_normalisation_of_settings():
    layer = SwitchableBatchNormalization(WIDTHS)
    inputs, upstream = random_inputs(), random_inputs(1)
    layer.build(inputs.shape)
    layer.gamma.assign(np.random.default_rng(2).uniform(0.5, 1.5, (2, CHANNELS)))
    assert_equals_apart(
        layer,
        lambda: run(layer, inputs, upstream, width=tf.constant(ONE_HOT)),
        lambda index: run(
            layer, parts(inputs)[index], parts(upstream)[index], width=tf.constant(ONE_HOT[index])
        ),
    )


def test_plain_normalisation_of_settings():
    layer = FusedBatchNormalization(momentum=0.9, epsilon=1e-5)
    inputs, upstream = random_inputs(), random_inputs(1)
    layer.build(inputs.shape)
    assert_equals_apart(
        layer,
        lambda: run(layer, inputs, upstream, settings=SETTINGS),
        lambda index: run(layer, parts(inputs)[index], parts(upstream)[index]),
    )


@pytest.mark.parametrize("strides", [1, 2])
def test_all_primitives_of_settings(strides):
    layer = MixedOp(CHANNELS, strides, WIDTHS)
    # Inputs are the outputs of other layers: never in two minds about a ReLU.
    inputs = np.abs(random_inputs())
    upstream = random_inputs(1)[:, : 4 // strides, : 6 // strides]
    shares = np.random.default_rng(2).uniform(0.1, 1.0, (SETTINGS, 5)).astype("float32")
    layer.build(inputs.shape)
    assert_equals_apart(
        layer,
        lambda: run(
            layer, inputs, upstream, weights=tf.constant(shares), width=tf.constant(ONE_HOT)
        ),
        lambda index: run(
            layer,
            parts(inputs)[index],
            parts(upstream)[index],
            weights=tf.constant(shares[index]),
            width=tf.constant(ONE_HOT[index]),
        ),
    )


def test_the_path_without_a_fused_operation_gives_the_same(monkeypatch):
    inputs = tf.constant(random_inputs())
    gamma, beta = tf.linspace(0.5, 1.5, CHANNELS), tf.linspace(-1.0, 1.0, CHANNELS)
    fused = batch_normalize(inputs, gamma, beta, 1e-5)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    for one, other in zip(batch_normalize(inputs, gamma, beta, 1e-5), fused, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"center": False}, {"scale": False}, {"synchronized": True}])
def test_what_the_fused_operation_cannot_do_is_refused(options):
    with pytest.raises(ValueError, match="`center` and `scale` must be equal"):
        FusedBatchNormalization(**options)
