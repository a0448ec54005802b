import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_fasterseg.layers.padding import crop_to_size, pad_to_multiple


@pytest.mark.parametrize(
    ("size", "padded_size"), [((1, 1), (32, 32)), ((32, 33), (32, 64)), ((65, 31), (96, 32))]
)
def test_zeros_are_appended_below_and_to_the_right(size, padded_size):
    images = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    expected = np.zeros((2, *padded_size, 3), "float32")
    expected[:, : size[0], : size[1]] = images
    np.testing.assert_array_equal(pad_to_multiple(images), expected)


def test_images_that_fit_are_not_copied():
    images = ops.ones((1, 64, 32, 3))
    assert pad_to_multiple(images) is images


def test_other_multiples():
    assert pad_to_multiple(np.ones((1, 5, 8, 1), "float32"), 4).shape == (1, 8, 8, 1)


@pytest.mark.parametrize("size", [(32, 64), (33, 47)])
def test_crop_undoes_padding_in_a_graph_of_unknown_size(size):
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def there_and_back(images):
        padded = pad_to_multiple(images)
        return padded, crop_to_size(padded, tf.shape(images)[1], tf.shape(images)[2])

    images = np.random.default_rng(1).normal(size=(2, *size, 3)).astype("float32")
    padded, cropped = there_and_back(images)
    np.testing.assert_array_equal(padded, pad_to_multiple(images))
    np.testing.assert_array_equal(cropped, images)


def test_crop_works_on_class_ids():
    ids = np.arange(12).reshape(1, 3, 4)
    np.testing.assert_array_equal(crop_to_size(ids, 2, 1), [[[0], [4]]])


def test_a_multiple_below_one_is_refused():
    with pytest.raises(ValueError, match="multiple=0"):
        pad_to_multiple(np.ones((1, 4, 4, 3)), 0)
