"""Switchable batch normalisation against its formula, sliced and masked."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase

from keras_fasterseg.layers.switchable_batch_normalization import SwitchableBatchNormalization
from tests.layers.closed_forms import batch_moments, normalize
from tests.layers.released_weights import WIDTHS, one_hot_width, widen

CHANNELS = 24
ACTIVE = [8, 16, 16, 24, 24]  # 8, 12, 16, 20, 24


def built(dtype: str = "float32", momentum: float = 0.9) -> SwitchableBatchNormalization:
    layer = SwitchableBatchNormalization(WIDTHS, momentum=momentum, dtype=dtype)
    layer.build((None, None, None, CHANNELS))
    generator = np.random.default_rng(1)
    for variable in layer.variables:
        variable.assign(generator.uniform(0.5, 2.0, size=variable.shape))
    return layer


def random_images(channels: int) -> np.ndarray:
    generator = np.random.default_rng(channels)
    return generator.normal(0.5, 2.0, size=(2, 3, 5, channels)).astype("float32")


def values(layer: SwitchableBatchNormalization, index: int) -> list[np.ndarray]:
    """Gamma, beta, moving mean and variance of a width, without what lies past it."""
    return [variable.numpy()[index, : ACTIVE[index]] for variable in layer.variables]


@pytest.mark.parametrize("index", range(5))
def test_evaluation_normalises_with_the_statistics_of_the_width(index):
    layer = built()
    inputs = random_images(ACTIVE[index])
    gamma, beta, mean, variance = values(layer, index)
    expected = normalize(inputs, mean, variance, gamma, beta)
    before = [variable.numpy() for variable in layer.variables]
    sliced = layer(inputs, width=index)
    masked = layer(widen(inputs, CHANNELS), width=one_hot_width(index), training=False)
    np.testing.assert_allclose(sliced, expected, atol=2e-5)
    np.testing.assert_allclose(masked, widen(expected, CHANNELS), atol=2e-5)
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("momentum", [0.9, 0.5])
@pytest.mark.parametrize("index", range(5))
def test_training_normalises_by_the_batch_and_updates_one_row(index, momentum, masked):
    layer = built(momentum=momentum)
    active = ACTIVE[index]
    inputs = random_images(active)
    gamma, beta, old_mean, old_variance = values(layer, index)
    before = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
    if masked:
        outputs = layer(widen(inputs, CHANNELS), width=one_hot_width(index), training=True)
    else:
        outputs = layer(inputs, width=index, training=True)
    mean, variance = batch_moments(inputs)
    expected = normalize(inputs, mean, variance, gamma, beta)
    np.testing.assert_allclose(outputs[..., :active], expected, atol=2e-5)
    assert not outputs.numpy()[..., active:].any()
    _, _, new_mean, new_variance = values(layer, index)
    kept, pixels = momentum, 2 * 3 * 5
    np.testing.assert_allclose(new_mean, kept * old_mean + (1 - kept) * mean, atol=1e-6)
    unbiased = variance * pixels / (pixels - 1)
    np.testing.assert_allclose(new_variance, kept * old_variance + (1 - kept) * unbiased, atol=2e-6)
    after = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(np.delete(old, index, 0), np.delete(new, index, 0))


def test_what_a_masked_layer_is_fed_past_the_width_does_not_leave_it():
    layer = built()
    inputs = random_images(CHANNELS)
    for training in (False, True):
        outputs = layer(inputs, width=one_hot_width(0), training=training).numpy()
        assert outputs[..., :8].any()
        assert not outputs[..., 8:].any()


def test_without_a_width_it_runs_at_the_widest():
    layer, inputs = built(), random_images(CHANNELS)
    np.testing.assert_array_equal(layer(inputs), layer(inputs, width=4))


def test_a_single_pixel_leaves_finite_statistics():
    layer = built()
    layer(np.ones((1, 1, 1, CHANNELS), "float32"), training=True)
    np.testing.assert_allclose(layer.moving_mean[4], 0.9 * built().moving_mean[4] + 0.1, rtol=1e-6)
    np.testing.assert_allclose(
        layer.moving_variance[4], 0.9 * built().moving_variance[4], rtol=1e-6
    )


def test_parameter_gradients_belong_to_the_row_of_the_width():
    layer, inputs = built(), random_images(16)
    cotangent = np.random.default_rng(3).normal(size=inputs.shape).astype("float32")
    mean, variance = batch_moments(inputs)
    by_gamma = (normalize(inputs, mean, variance, 1, 0) * cotangent).sum((0, 1, 2))
    expected = [by_gamma, cotangent.sum((0, 1, 2), dtype="float64")]
    for x, g, width in (
        (inputs, cotangent, 2),
        (widen(inputs, CHANNELS), widen(cotangent, CHANNELS), one_hot_width(2)),
    ):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x, width=width, training=True) * g)
        parameters = [layer.gamma.value, layer.beta.value]
        for gradient, row in zip(tape.gradient(total, parameters), expected, strict=True):
            gradient = tf.convert_to_tensor(gradient).numpy()
            np.testing.assert_allclose(gradient[2, :16], row, atol=1e-5)
            assert not gradient[2, 16:].any()
            assert not np.delete(gradient, 2, 0).any()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_statistics_stay_float32_in_half_precision(policy):
    layer = built(policy)
    # A variance past the largest float16 (65504), and means that bfloat16 cannot tell apart.
    layer.moving_variance.assign(np.full(layer.moving_variance.shape, 1e6))
    layer.moving_mean.assign(np.full(layer.moving_mean.shape, 1001.0))
    inputs = keras.ops.full((1, 2, 2, CHANNELS), 2000.0, dtype=policy.removeprefix("mixed_"))
    rounded = float(keras.ops.cast(inputs, "float32")[0, 0, 0, 0])
    expected = normalize(rounded, 1001.0, 1e6, layer.gamma.numpy()[4], layer.beta.numpy()[4])
    for width in (4, one_hot_width(4)):
        outputs = keras.ops.cast(layer(inputs, width=width), "float32").numpy()[0, 0, 0]
        # Gamma, beta and the output are rounded to the 8 bits of a bfloat16, at most.
        np.testing.assert_allclose(outputs, expected, rtol=2**-7)
        layer(inputs, width=width, training=True)
        layer.moving_variance.assign(np.full(layer.moving_variance.shape, 1e6))
        np.testing.assert_allclose(layer.moving_mean[4], 0.9 * 1001.0 + 0.1 * rounded, rtol=1e-6)
        layer.moving_mean.assign(np.full(layer.moving_mean.shape, 1001.0))


@pytest.mark.parametrize("training", [False, True])
def test_batch_height_and_width_may_be_dynamic(training):
    layer = built()
    image, width = keras.Input((None, None, CHANNELS)), keras.Input(batch_shape=(5,))
    model = keras.Model([image, width], layer(image, width=width, training=training))
    inputs = random_images(CHANNELS)
    expected = built()(inputs, width=4, training=training)
    run = tf.function(
        model,
        input_signature=[
            [tf.TensorSpec((None, None, None, CHANNELS)), tf.TensorSpec((5,))],
        ],
    )
    np.testing.assert_allclose(run([inputs, one_hot_width(4)]), expected, atol=1e-6)
    assert np.array_equal(layer.moving_mean, built().moving_mean) != training


@pytest.mark.parametrize("width", [-1, 5])
def test_width_must_be_an_index(width):
    with pytest.raises(ValueError, match=f"width={width}"):
        built()(random_images(CHANNELS), width=width)


@pytest.mark.parametrize("widths", [(), (1.0, 0.5), (0.5, 2.0)])
def test_widths_must_ascend_between_0_and_1(widths):
    with pytest.raises(ValueError, match=r"ascending numbers in \(0, 1\]. Received"):
        SwitchableBatchNormalization(widths)


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            SwitchableBatchNormalization,
            init_kwargs={"width_multipliers": (0.5, 1.0), "momentum": 0.8, "epsilon": 1e-3},
            input_shape=(2, 4, 5, 16),
            expected_output_shape=(2, 4, 5, 16),
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=2,
        )
