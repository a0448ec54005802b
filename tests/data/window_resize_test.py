"""Windows of resized images compared with TensorFlow's resize."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.data.window_resize import bilinear_window, nearest_window

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (23, 37, 3), np.uint8)
WINDOWS = [
    (slice(0, None), slice(0, None)),
    (slice(3, 9), slice(5, 6)),
    (slice(7, 11), slice(2, 9)),
]


def test_a_row_that_is_doubled():
    """Centres at -1/4, 1/4, 3/4 and 5/4 of the two pixels; outside, the border is repeated."""
    image = np.array([[[0], [8]]], np.uint8)
    found = bilinear_window(image, (1, 4), slice(0, 1), slice(0, 4))
    assert found.dtype == np.float32
    assert found.ravel().tolist() == [0, 2, 6, 8]
    assert nearest_window(image[..., 0], (1, 4), slice(0, 1), slice(0, 4)).tolist() == [
        [0, 0, 8, 8]
    ]


@pytest.mark.parametrize(
    "size", [(23, 37), (17, 28), (46, 74), (29, 46), (12, 90), (1, 1), (11, 9), (100, 37)]
)
def test_windows_are_those_of_tensorflow(size):
    label = IMAGE[..., 0]
    expected = tf.image.resize(IMAGE, size, method="bilinear").numpy()
    nearest = tf.image.resize(label[..., np.newaxis], size, method="nearest").numpy()[..., 0]
    for window in WINDOWS:
        part = tuple(
            slice(*each.indices(side)[:2]) for each, side in zip(window, size, strict=True)
        )
        if any(each.start >= each.stop for each in part):
            continue
        # Pixels up to 255, in whose neighbourhood a step of float32 is 1.5e-5.
        np.testing.assert_allclose(
            bilinear_window(IMAGE, size, *part), expected[part], rtol=0, atol=3e-5
        )
        np.testing.assert_array_equal(nearest_window(label, size, *part), nearest[part])


def test_labels_of_every_size_are_those_of_tensorflow():
    """A position half a pixel off the border of two pixels must be rounded alike."""
    for before, after in itertools.product((30, 31, 48), range(1, 100)):
        label = np.arange(before, dtype=np.uint8)[np.newaxis]
        expected = tf.image.resize(label[..., np.newaxis], (1, after), method="nearest")
        found = nearest_window(label, (1, after), slice(0, 1), slice(0, after))
        np.testing.assert_array_equal(found, expected.numpy()[..., 0])
