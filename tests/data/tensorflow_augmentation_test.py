import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.data import tensorflow_augmentation as augmentation

RNG = np.random.default_rng(0)


def _pair(height, width):
    """A label, and an image whose red channel is that label times 10."""
    label = RNG.integers(0, 11, (height, width), np.uint8)
    image = np.stack([label * 10, label, 255 - label], axis=-1)
    return tf.constant(image), tf.constant(label)


def _assert_aligned(image, label):
    np.testing.assert_array_equal(image[..., 0], 10 * np.asarray(label).astype(np.float32))


@pytest.mark.parametrize("seed", range(6))
def test_crop_takes_one_window_of_both(seed):
    image, label = _pair(9, 13)

    cropped, cropped_label = augmentation.random_crop(image, label, (4, 5), (seed, 0))

    assert cropped_label.shape == (4, 5)
    _assert_aligned(tf.cast(cropped, tf.float32), cropped_label)
    windows = np.lib.stride_tricks.sliding_window_view(label.numpy(), (4, 5))
    assert (windows == cropped_label.numpy()).all(axis=(2, 3)).any()


def test_colors_change_in_brightness_contrast_and_saturation():
    """For each seed three factors exist that explain every pixel."""
    image = RNG.uniform(60, 180, (5, 6, 3)).astype(np.float32)
    for seed in range(5):
        changed = augmentation.random_colors(tf.constant(image), 0.2, (seed, 0)).numpy()
        grey, changed_grey = (each @ np.float32([0.299, 0.587, 0.114]) for each in (image, changed))
        factor, shift = np.polyfit(grey.ravel(), changed_grey.ravel(), 1)
        # Values around 100 in float32: 2.8e-5 was seen.
        np.testing.assert_allclose(factor * grey + shift, changed_grey, rtol=0, atol=1e-4)
        # The mean grey shows the brightness, its spread the product with the contrast.
        brightness = changed_grey.mean() / grey.mean()
        saturation = np.polyfit(
            (factor * (image - grey[..., None])).ravel(),
            (changed - changed_grey[..., None]).ravel(),
            1,
        )[0]
        for found in (brightness, factor / brightness, saturation):
            assert 0.8 <= found <= 1.2
            assert abs(found - 1) > 1e-4


def test_colors_stay_in_their_range():
    image = tf.constant(RNG.choice([0.0, 255.0], (8, 8, 3)).astype(np.float32))
    changed = [augmentation.random_colors(image, 0.9, (seed, 0)).numpy() for seed in range(20)]
    assert np.min(changed) == 0
    assert np.max(changed) == 255


def test_every_crop_position_occurs():
    image, label = tf.zeros((3, 4, 1)), tf.reshape(tf.range(12), (3, 4))

    firsts = {
        int(augmentation.random_crop(image, label, (2, 2), (seed, 1))[1][0, 0])
        for seed in range(100)
    }

    assert firsts == {0, 1, 2, 4, 5, 6}


def test_crop_larger_than_the_image_takes_all_of_it():
    image, label = _pair(3, 9)

    cropped, cropped_label = augmentation.random_crop(image, label, (8, 4), (0, 0))

    assert cropped.shape == (3, 4, 3)
    assert cropped_label.shape == (3, 4)


def test_padding_is_even_and_ignored():
    image, label = tf.ones((2, 3, 3)), tf.ones((2, 3), tf.uint8)

    padded, padded_label = augmentation.pad_centered(image, label, (5, 4))

    expected = np.full((5, 4), 255)
    expected[1:3, :3] = 1
    np.testing.assert_array_equal(padded_label, expected)
    np.testing.assert_array_equal(padded[..., 1], np.where(expected == 1, 1, 0))


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_scale_gives_the_rounded_size(scale):
    image, label = _pair(15, 29)

    scaled, scaled_label = augmentation.random_scale(image, label, (scale,), (0, 0))

    assert scaled_label.shape == (round(15 * scale), round(29 * scale))
    assert scaled.shape == (*scaled_label.shape, 3)
    assert scaled.dtype == tf.float32


def test_scaling_keeps_the_pair_aligned():
    """Two halves of one value each: their border moves to the same column in both."""
    label = np.zeros((8, 16), np.uint8)
    label[:, 8:] = 10
    image = np.repeat(10 * label[..., None], 3, axis=-1)

    scaled, scaled_label = augmentation.random_scale(
        tf.constant(image), tf.constant(label), (2.0,), (0, 0)
    )

    np.testing.assert_array_equal(scaled[..., 0] > 50, scaled_label == 10)


def test_every_scale_occurs():
    image, label = _pair(8, 8)

    heights = {
        augmentation.random_scale(image, label, (0.75, 1.0, 1.25), (seed, 0))[1].shape[0]
        for seed in range(40)
    }

    assert heights == {6, 8, 10}


def test_shift_moves_both_by_up_to_the_distance_in_every_direction():
    image, label = _pair(4, 6)
    image = tf.cast(image, tf.float32)
    moves = {
        (down, right): _moved(label.numpy(), down, right)
        for down in range(-2, 3)
        for right in range(-2, 3)
    }
    seen = set()

    for seed in range(200):
        moved, moved_label = augmentation.random_shift(image, label, 2, (seed, 0))
        (move,) = [each for each in moves if np.array_equal(moves[each], moved_label)]
        seen.add(move)
        known = moved_label.numpy() != 255
        _assert_aligned(moved.numpy()[known], moved_label.numpy()[known])
        np.testing.assert_array_equal(moved.numpy()[~known], 0)

    assert seen == set(moves)


def _moved(label, down, right):
    """The label moved by up to 2 pixels in each direction; 255 where nothing is left."""
    padded = np.pad(label, 2, constant_values=255)
    return padded[2 - down :, 2 - right :][: label.shape[0], : label.shape[1]]


def test_flip_mirrors_both_or_none():
    image, label = _pair(3, 5)
    seen = set()

    for seed in range(20):
        flipped, flipped_label = augmentation.random_flip(image, label, (seed, 0))
        _assert_aligned(tf.cast(flipped, tf.float32), flipped_label)
        mirrored = not np.array_equal(flipped_label, label)
        seen.add(mirrored)
        if mirrored:
            np.testing.assert_array_equal(flipped_label, np.fliplr(label))

    assert seen == {False, True}
