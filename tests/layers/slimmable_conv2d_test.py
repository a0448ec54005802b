"""Slimmable convolution against NumPy: a slice of the kernel, or a mask over the output."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase

from keras_fasterseg.layers.slimmable_conv2d import SlimmableConv2D, active_filters, width_mask
from tests.layers.closed_forms import convolve
from tests.layers.released_weights import WIDTHS, one_hot_width, widen


def built(filters: int = 24, strides: int = 1, kernel_size: int = 3) -> SlimmableConv2D:
    layer = SlimmableConv2D(filters, kernel_size, strides, WIDTHS)
    layer.build((None, None, None, 16))
    return layer


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (96, [32, 48, 64, 80, 96]),
        (48, [16, 24, 32, 40, 48]),
        (40, [16, 24, 24, 32, 40]),  # 13.3, 20, 26.7, 33.3, 40
        (32, [8, 16, 24, 24, 32]),  # 10.7, 16, 21.3, 26.7, 32: base filters 4
        (36, [16, 16, 24, 32, 36]),  # 12, 18, 24, 30, 36: the nearest of the last is 40
        (4, [4, 4, 4, 4, 4]),  # 8 is the least, but there are only 4
    ],
)
def test_active_filters_are_the_nearest_multiple_of_8(filters, expected):
    assert [active_filters(filters, WIDTHS, index) for index in range(5)] == expected
    assert active_filters(filters, WIDTHS, None) == expected[-1]
    assert active_filters(filters, WIDTHS, one_hot_width(0)) == filters
    np.testing.assert_array_equal(np.sum(width_mask(filters, WIDTHS), axis=1), expected)


@pytest.mark.parametrize(("strides", "kernel_size"), [(1, 3), (2, 3), (1, 1), (2, 1), (2, 5)])
@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_sliced_and_masked_equal_a_convolution_with_a_part_of_the_kernel(
    strides, kernel_size, size
):
    layer = built(24, strides, kernel_size)
    inputs = random_images(2, *size, 16)
    for inputs_active in (8, 16):
        x = inputs[..., :inputs_active]
        for index, active in enumerate([8, 16, 16, 24, 24]):  # 8, 12, 16, 20, 24
            kernel = layer.kernel.numpy()[:, :, :inputs_active, :active]
            expected = convolve(x, kernel, strides)
            sliced = layer(x, width=index)
            masked = layer(widen(x, 16), width=one_hot_width(index))
            np.testing.assert_allclose(sliced, expected, atol=1e-5)
            np.testing.assert_allclose(masked, widen(expected, 24), atol=1e-5)


def test_without_a_width_it_runs_at_the_widest():
    layer = SlimmableConv2D(32, 1, width_multipliers=(0.25, 0.5))
    inputs = random_images(1, 2, 2, 8)
    assert layer(inputs).shape == (1, 2, 2, 16)
    np.testing.assert_array_equal(layer(inputs), layer(inputs, width=1))


def test_kernel_gradient_is_the_same_sliced_and_masked_and_zero_past_the_width():
    layer = built(24)
    inputs = random_images(2, 4, 6, 8)
    cotangent = random_images(2, 4, 6, 16)
    results = []
    for x, g, width in (
        (inputs, cotangent, 1),
        (widen(inputs, 16), widen(cotangent, 24), one_hot_width(1)),
    ):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x, width=width) * g)
        results.append(tape.gradient(total, layer.kernel.value).numpy())
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)
    assert results[0][:, :, :8, :16].all()
    assert not results[0][:, :, 8:].any()
    assert not results[0][..., 16:].any()


def test_no_gradient_reaches_the_width():
    layer, width = built(), tf.constant(one_hot_width(2))
    with tf.GradientTape() as tape:
        tape.watch(width)
        total = tf.reduce_sum(layer(random_images(1, 4, 4, 16), width=width))
    assert tape.gradient(total, width) is None


def test_symbolic_shapes():
    layer = built(24, strides=2)
    assert layer(keras.Input((None, None, 16)), width=1).shape == (None, None, None, 16)
    assert layer(keras.Input((7, 8, 8))).shape == (None, 4, 4, 24)
    width = keras.Input(batch_shape=(5,))
    assert layer(keras.Input((7, 8, 16)), width=width).shape == (None, 4, 4, 24)


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_height_and_width_may_be_dynamic(size):
    layer = built(24, strides=2)
    image, width = keras.Input((None, None, 16)), keras.Input(batch_shape=(5,))
    model = keras.Model([image, width], layer(image, width=width))
    inputs = random_images(1, *size, 16)
    expected = widen(convolve(inputs, layer.kernel.numpy()[..., :16], 2), 24)
    np.testing.assert_allclose(model([inputs, one_hot_width(1)]), expected, atol=1e-5)


@pytest.mark.parametrize("width", [-1, 5])
def test_width_must_be_an_index(width):
    with pytest.raises(ValueError, match=f"one of the 5 width multipliers.*width={width}"):
        built()(random_images(1, 2, 2, 16), width=width)


def test_kernel_must_have_a_centre():
    with pytest.raises(ValueError, match="kernel_size=2"):
        SlimmableConv2D(8, 2)


@pytest.mark.parametrize(
    "widths", [(), (0.0, 1.0), (-0.5, 1.0), (0.5, 0.5), (1.0, 0.5), (0.5, 1.5)]
)
def test_widths_must_ascend_between_0_and_1(widths):
    with pytest.raises(ValueError, match=r"ascending numbers in \(0, 1\]. Received"):
        SlimmableConv2D(8, 3, width_multipliers=widths)


class LayerContractTest(TestCase):
    def test_stride_1(self):
        self.run_layer_test(
            SlimmableConv2D,
            init_kwargs={"filters": 16, "kernel_size": 3, "width_multipliers": (0.5, 1.0)},
            input_shape=(2, 4, 5, 3),
            expected_output_shape=(2, 4, 5, 16),
            expected_num_trainable_weights=1,
            expected_num_non_trainable_weights=0,
        )

    def test_masked_at_stride_2(self):
        self.run_layer_test(
            SlimmableConv2D,
            init_kwargs={
                "filters": 16,
                "kernel_size": 3,
                "strides": 2,
                "width_multipliers": (0.5, 1.0),
            },
            input_shape=(2, 4, 5, 3),
            call_kwargs={"width": np.array([1.0, 0.0], "float32")},
            expected_output_shape=(2, 2, 3, 16),
            expected_num_trainable_weights=1,
            expected_num_non_trainable_weights=0,
            # Its model calls the layer without the width.
            run_training_check=False,
        )
