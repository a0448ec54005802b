import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.layers.pointwise_reduction import pointwise_reduction


@pytest.mark.parametrize("size", [(16, 16), (7, 5)])
def test_training_computes_the_same(size):
    inputs, kernel = keras.random.normal((2, *size, 8)), keras.random.normal((1, 1, 8, 4))
    expected = np.asarray(inputs)[:, ::2, ::2] @ np.asarray(kernel)[0, 0]
    for training in (False, True):
        found = ops.convert_to_numpy(pointwise_reduction(inputs, kernel, training))
        # Sums of eight products.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.backends("tensorflow")
def test_the_gradient_of_few_channels_is_that_of_the_sum():
    """A strided convolution would end the process here, on some CPUs."""
    import tensorflow as tf

    inputs, kernel = tf.random.normal((1, 16, 16, 8)), tf.random.normal((1, 1, 8, 4))
    upstream = tf.random.normal((1, 8, 8, 4))
    for _ in range(5):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            outputs = pointwise_reduction(inputs, kernel, True)
        found = tape.gradient(outputs, kernel, upstream)
    expected = np.einsum("bhwc,bhwf->cf", inputs.numpy()[:, ::2, ::2], upstream.numpy())
    np.testing.assert_allclose(found.numpy()[0, 0], expected, rtol=1e-4, atol=1e-4)
