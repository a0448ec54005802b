"""Random augmentation of an image and its label in a TensorFlow graph: functions of a seed."""

from collections.abc import Sequence

import tensorflow as tf

from keras_fasterseg.data.numpy_augmentation import GREY_SHARES
from keras_fasterseg.data.source import IGNORE_LABEL


def random_scale(
    image: tf.Tensor, label: tf.Tensor, scales: Sequence[float], seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Resizes image and label by one of `scales`, all equally likely.

    Args:
        image: `(height, width, channels)`, resized bilinearly.
        label: `(height, width)` integers, resized by nearest neighbour.
        scales: Positive factors.
        seed: `(2,)` integers, as for `tf.random.stateless_uniform`.

    Returns:
        The image as float32 and the label, `(round(height·scale), round(width·scale), …)`.
    """
    if tuple(scales) == (1.0,):
        return tf.cast(image, tf.float32), label
    choice = tf.random.stateless_uniform((), seed, maxval=len(scales), dtype=tf.int32)
    scale = tf.gather(tf.constant(scales, tf.float32), choice)
    size = tf.cast(tf.shape(label), tf.float32) * scale
    size = tf.maximum(tf.cast(tf.round(size), tf.int32), 1)
    label = tf.image.resize(tf.expand_dims(label, -1), size, method="nearest")
    return tf.image.resize(image, size, method="bilinear"), tf.squeeze(label, -1)


def random_crop(
    image: tf.Tensor, label: tf.Tensor, size: tuple[int, int], seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts the same window of at most `size` out of both, all positions equally likely.

    Args:
        image: `(height, width, channels)`.
        label: `(height, width)`.
        size: Height and width of the window; a smaller input is kept in full.
        seed: `(2,)` integers.

    Returns:
        Image and label of `min(height, size[0])` rows and `min(width, size[1])` columns.
    """
    extent = tf.minimum(tf.shape(label), size)
    free = tf.shape(label) - extent
    # Not stateless_uniform over integers, which accepts only one upper bound for both numbers.
    position = tf.random.stateless_uniform((2,), seed) * tf.cast(free + 1, tf.float32)
    # The multiplication may round up to the excluded bound.
    top, left = tf.unstack(tf.minimum(tf.cast(position, tf.int32), free))
    bottom, right = top + extent[0], left + extent[1]
    return image[top:bottom, left:right], label[top:bottom, left:right]


def random_colors(image: tf.Tensor, strength: float, seed: tf.Tensor) -> tf.Tensor:
    """Changes brightness, contrast and saturation, in this order.

    Brightness multiplies the image, contrast its difference from its mean grey, and saturation the
    difference of every pixel from its grey, each by a factor of its own.

    Args:
        image: `(height, width, 3)` float32, 0 to 255.
        strength: Factors are uniform from 1 - `strength` to 1 + `strength`.
        seed: `(2,)` integers.

    Returns:
        The image, clipped to 0 to 255.
    """
    random = tf.random.stateless_uniform((3,), seed)
    brightness, contrast, saturation = tf.unstack(1.0 + strength * (2.0 * random - 1.0))
    image *= brightness
    mean = tf.reduce_mean(_grey(image))
    image = mean + contrast * (image - mean)
    grey = _grey(image)
    return tf.clip_by_value(grey + saturation * (image - grey), 0.0, 255.0)


def _grey(image: tf.Tensor) -> tf.Tensor:
    return tf.tensordot(image, tf.constant(GREY_SHARES), 1)[..., None]


def pad_centered(
    image: tf.Tensor, label: tf.Tensor, size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pads both to `size`, centred; an odd row goes to the bottom, an odd column to the right.

    Args:
        image: `(height, width, channels)`, normalised so that the mean colour is 0; padded with 0.
        label: `(height, width)`, padded with the ignored label.
        size: Height and width of the result, at least those of the input.

    Returns:
        Image `(*size, channels)` and label `size`, of static shape.
    """
    missing = tf.constant(size) - tf.shape(label)
    before = missing // 2
    paddings = tf.stack([before, missing - before], axis=1)
    label = tf.pad(label, paddings, constant_values=IGNORE_LABEL)
    image = tf.pad(image, tf.concat([paddings, [[0, 0]]], axis=0))
    return tf.ensure_shape(image, (*size, image.shape[-1])), tf.ensure_shape(label, size)


def random_shift(
    image: tf.Tensor, label: tf.Tensor, distance: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves both by up to `distance` pixels, down and to the right, all moves equally likely.

    Negative moves go up and to the left. Pixels that leave the image are lost; the other border is
    filled like the padding of `pad_centered`.

    Args:
        image: `(height, width, channels)` of static shape, normalised so that the mean colour is 0.
        label: `(height, width)` of static shape.
        distance: Largest move, in pixels.
        seed: `(2,)` integers.

    Returns:
        Image and label of the same shapes.
    """
    height, width = label.shape
    padded = pad_centered(image, label, (height + 2 * distance, width + 2 * distance))
    moved, moved_label = random_crop(*padded, (height, width), seed)
    return tf.ensure_shape(moved, image.shape), tf.ensure_shape(moved_label, label.shape)


def random_flip(image: tf.Tensor, label: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mirrors image and label horizontally with probability 1/2."""
    mirrored = tf.random.stateless_uniform((), seed) < 0.5
    return (
        tf.where(mirrored, image[:, ::-1], image),
        tf.where(mirrored, label[:, ::-1], label),
    )
