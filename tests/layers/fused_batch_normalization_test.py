"""The fused layer against its formula, and against Keras' own where the two are one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase

from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization
from tests.layers.closed_forms import batch_moments, normalize

PIXELS = 2 * 3 * 5


def built(dtype: str = "float32") -> FusedBatchNormalization:
    layer = FusedBatchNormalization(momentum=0.75, epsilon=1e-5, dtype=dtype)
    layer.build((None, None, None, 6))
    generator = np.random.default_rng(1)
    for variable in layer.variables:
        variable.assign(generator.uniform(0.5, 2.0, size=variable.shape))
    return layer


def images() -> np.ndarray:
    return np.random.default_rng(0).normal(0.5, 2.0, size=(2, 3, 5, 6)).astype("float32")


def test_training_normalises_by_the_batch_and_updates_the_statistics():
    layer = built()
    gamma, beta, old_mean, old_variance = (np.array(each) for each in layer.variables)
    outputs = layer(images(), training=True)
    mean, variance = batch_moments(images())
    np.testing.assert_allclose(outputs, normalize(images(), mean, variance, gamma, beta), atol=2e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.75 * old_mean + 0.25 * mean, atol=1e-6)
    unbiased = variance * PIXELS / (PIXELS - 1)
    expected = 0.75 * old_variance + 0.25 * unbiased
    np.testing.assert_allclose(layer.moving_variance, expected, atol=2e-6)


@pytest.mark.parametrize(("trainable", "training"), [(True, False), (True, None), (False, True)])
def test_everything_but_training_is_keras(trainable, training):
    layer = built()
    layer.trainable = trainable
    own = keras.layers.BatchNormalization(epsilon=1e-5)
    own.build((None, None, None, 6))
    own.set_weights([np.array(each) for each in (layer.gamma, layer.beta)] + statistics(layer))
    before = statistics(layer)
    np.testing.assert_array_equal(layer(images(), training=training), own(images()))
    np.testing.assert_array_equal(statistics(layer), before)


def statistics(layer: FusedBatchNormalization) -> list[np.ndarray]:
    return [np.array(each) for each in (layer.moving_mean, layer.moving_variance)]


def test_half_precision_is_normalised_in_float32():
    outputs = built("mixed_bfloat16")(tf.cast(images(), "bfloat16"), training=True)
    assert outputs.dtype == tf.bfloat16
    rounded = tf.cast(tf.cast(images(), "bfloat16"), "float32")
    expected = built()(rounded, training=True)
    # Rounded once to the 8 bits of a bfloat16.
    np.testing.assert_allclose(tf.cast(outputs, "float32"), expected, rtol=2**-8, atol=1e-6)


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            FusedBatchNormalization,
            init_kwargs={"momentum": 0.9, "epsilon": 1e-5},
            input_shape=(2, 3, 5, 6),
            expected_output_shape=(2, 3, 5, 6),
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=2,
        )
