"""The building block of every network against the reference's ConvNorm."""

import functools

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from tests.layers.closed_forms import convolve
from tests.layers.released_weights import (
    WIDTHS,
    assert_close_to_size,
    below,
    conv_batch_norm_parts,
    entries,
    gradients,
    load,
    one_hot_width,
    to_ours,
    widen,
    width_index,
)
from tests.shared import assert_known, load_fixture

OUTPUT_TOLERANCE = 1e-4
# As for the primitives: some hundred ulps of the largest entry, sums run over up to 1024 pixels.
GRADIENT_TOLERANCE = 2e-5

# Fixture, filters, kernel size, strides, input channels.
PLAIN = [("k3s2", 32, 3, 2, 3), ("k1s1", 24, 1, 1, 32)]


@functools.cache
def fixture() -> dict[str, np.ndarray]:
    return load_fixture("convnorm")


def plain(name, filters, kernel_size, strides, channels):
    layer = ConvBatchNorm(filters, kernel_size, strides)
    layer.build((None, None, None, channels))
    parts = conv_batch_norm_parts(layer, "conv.0", "conv.1")
    load(parts, below(fixture(), f"{name}/w/"))
    return layer, parts


@pytest.mark.parametrize("case", PLAIN)
def test_plain_equals_the_released_code(case):
    layer, _ = plain(*case)
    arrays = below(fixture(), f"{case[0]}/")
    inputs, expected = arrays["x_nhwc"], arrays["y_eval_nhwc"]
    assert layer.compute_output_shape(inputs.shape) == expected.shape
    assert_known(layer(inputs), expected, atol=OUTPUT_TOLERANCE)
    image = keras.Input((None, None, inputs.shape[-1]))
    dynamic = keras.Model(image, layer(image))
    assert dynamic.output_shape == (None, None, None, case[1])
    assert_known(dynamic.predict(inputs, verbose=0), expected, atol=OUTPUT_TOLERANCE)


def test_plain_training_equals_the_released_code():
    layer, parts = plain(*PLAIN[0])
    arrays = below(fixture(), "k3s2/train/")
    cotangent = arrays["g_nhwc"]
    outputs, by_input, by_variable = gradients(
        parts, arrays["x_nhwc"], cotangent, lambda x: layer(x, training=True)
    )
    assert_known(outputs, arrays["y_train_nhwc"], atol=OUTPUT_TOLERANCE)
    assert_close_to_size(by_input, arrays["dx_nhwc"], GRADIENT_TOLERANCE)
    for name, variable, _ in entries(parts):
        if variable.trainable:
            expected = to_ours(arrays[f"dw/{name}"])
            assert_close_to_size(by_variable[variable.path], expected, GRADIENT_TOLERANCE, name)
            continue
        expected = arrays[f"bn_after/{name}"]
        np.testing.assert_allclose(variable, expected, atol=1e-6, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("twelfths", [4, 8, 12])
def test_slimmable_equals_the_reference_sliced_and_masked(twelfths):
    layer = ConvBatchNorm(48, 3, width_multipliers=WIDTHS)
    layer.build((None, 8, 16, 48))
    load(conv_batch_norm_parts(layer, "conv.0", "conv.1"), below(fixture(), "slim/w/"))
    arrays = below(fixture(), f"slim/r12_{twelfths}/")
    expected, index = arrays["y_eval_nhwc"], width_index(twelfths)
    assert_known(layer(arrays["x_nhwc"], width=index), expected, atol=OUTPUT_TOLERANCE)
    masked = layer(arrays["x_nhwc"], width=one_hot_width(index))
    assert_known(masked, widen(expected, 48), atol=OUTPUT_TOLERANCE)


@pytest.mark.parametrize("width_multipliers", [None, (0.5, 1.0)])
def test_relu_is_all_that_relu_switches(width_multipliers):
    inputs = np.random.default_rng(0).normal(size=(1, 4, 4, 8)).astype("float32")
    with_relu, without = (
        ConvBatchNorm(16, 3, relu=relu, width_multipliers=width_multipliers)
        for relu in (True, False)
    )
    with_relu.build(inputs.shape)
    without.build(inputs.shape)
    without.set_weights(with_relu.get_weights())
    outputs = without(inputs).numpy()
    assert (outputs < 0).any()
    np.testing.assert_array_equal(with_relu(inputs), np.maximum(outputs, 0))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 3)])
def test_maps_smaller_than_the_kernel_have_an_output(size):
    layer = ConvBatchNorm(4, 3, 2)
    inputs = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    outputs = layer(inputs)
    # Fresh statistics: mean 0, variance 1.
    expected = convolve(inputs, layer.convolution.kernel.numpy(), 2) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(outputs, np.maximum(expected, 0), atol=1e-5)
    assert layer.compute_output_shape(inputs.shape) == expected.shape


@pytest.mark.parametrize("width_multipliers", [None, (0.5, 1.0)])
def test_kernel_must_have_a_centre(width_multipliers):
    with pytest.raises(ValueError, match="kernel_size=2"):
        ConvBatchNorm(8, 2, width_multipliers=width_multipliers)


def test_widths_must_ascend():
    with pytest.raises(ValueError, match="width_multipliers"):
        ConvBatchNorm(8, 3, width_multipliers=(1.0, 0.5))


def test_symbolic_output_has_the_channels_of_the_width():
    layer = ConvBatchNorm(48, 3, 2, width_multipliers=WIDTHS)
    image = keras.Input((7, None, 48))
    assert layer(image, width=0).shape == (None, 4, None, 16)
    assert layer(image, width=keras.Input(batch_shape=(5,))).shape == (None, 4, None, 48)


def test_model_at_an_int_width_survives_saving(tmp_path):
    image = keras.Input((8, 8, 3))
    narrow = ConvBatchNorm(16, 3, width_multipliers=(0.5, 1.0), name="slimmable")(image, width=0)
    model = keras.Model(image, ConvBatchNorm(4, 1)(narrow))
    assert model.layers[-1].convolution.kernel.shape == (1, 1, 8, 4)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(restored(images), model(images))


class LayerContractTest(TestCase):
    def test_plain(self):
        self.run_layer_test(
            ConvBatchNorm,
            init_kwargs={"filters": 8, "kernel_size": 3, "strides": 2},
            input_shape=(2, 5, 6, 3),
            expected_output_shape=(2, 3, 3, 8),
            expected_num_trainable_weights=3,
            expected_num_non_trainable_weights=2,
        )

    def test_slimmable(self):
        self.run_layer_test(
            ConvBatchNorm,
            init_kwargs={
                "filters": 16,
                "kernel_size": 1,
                "relu": False,
                "width_multipliers": (0.5, 1.0),
            },
            input_shape=(2, 5, 6, 3),
            expected_output_shape=(2, 5, 6, 16),
            expected_num_trainable_weights=3,
            expected_num_non_trainable_weights=2,
        )
