import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase

from keras_fasterseg.spaces.joint.pyramid_pooling import PyramidPooling, averaging_matrix
from tests.spaces.joint import closed_forms

SIZES = [(5, 7), (8, 12), (64, 128)]


def built():
    layer = PyramidPooling(8)
    layer.build((None, None, None, 4))
    closed_forms.randomize_normalizations(layer)
    return layer


def random_images(size):
    return np.random.default_rng(0).normal(size=(2, *size, 4)).astype("float32")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("static", [True, False])
def test_equals_the_formula(size, static):
    layer, image = built(), keras.Input((*(size if static else (None, None)), 4))
    model, images = keras.Model(image, layer(image)), random_images(size)
    assert model.output_shape == (None, *(size if static else (None, None)), 8)
    # Float32 positions of the resize: an ulp of the last one, times a step of about 1.
    expected, tolerance = closed_forms.pyramid(layer, images), sum(size) * 2**-23 + 1e-5
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=tolerance)


@pytest.mark.parametrize("side", [1, 2, 5, 8, 64, 257])
@pytest.mark.parametrize("bins", [1, 2, 3, 6, 9])
def test_averaging_matrix(side, bins):
    expected = np.zeros((bins, side))
    for index in range(bins):
        first, end = index * side // bins, -(-(index + 1) * side // bins)
        expected[index, first:end] = 1 / (end - first)
    matrix = averaging_matrix(side, bins)
    assert isinstance(matrix, np.ndarray)
    np.testing.assert_allclose(matrix, expected)
    np.testing.assert_allclose(averaging_matrix(tf.constant(side), bins), expected, rtol=1e-6)


def test_filters_of_a_bin_are_the_published_ones():
    assert [PyramidPooling(filters).bin_filters for filters in (128, 16, 1)] == [40, 5, 1]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    images, exact = random_images((8, 12)), built()
    layer = PyramidPooling(8, dtype=policy)
    layer.build(images.shape)
    layer.set_weights(exact.get_weights())
    outputs = layer(images)
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    # A handful of roundings to 11 and 8 bits.
    tolerance = {"mixed_float16": 2**-8, "mixed_bfloat16": 2**-5}[policy]
    difference = np.abs(tf.cast(outputs, "float32") - exact(images)).max()
    assert difference < tolerance * np.abs(exact(images)).max()


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            PyramidPooling,
            init_kwargs={"filters": 8, "bins": (1, 3)},
            input_shape=(2, 4, 6, 5),
            expected_output_shape=(2, 4, 6, 8),
            expected_num_trainable_weights=9,
            expected_num_non_trainable_weights=6,
        )
