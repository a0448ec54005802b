"""Paired random changes of an image and its label: pure functions of a seed."""

from collections.abc import Sequence

import tensorflow as tf

from keras_fasterseg.data.source import IGNORE_LABEL


def random_scale(
    image: tf.Tensor, label: tf.Tensor, scales: Sequence[float], seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Resizes both by one of `scales`, each as likely as the others.

    Args:
        image: `(height, width, channels)`, resized bilinearly.
        label: `(height, width)` integers, resized to the nearest.
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
    """Cuts the same window of at most `size` out of both, every position as likely.

    Args:
        image: `(height, width, channels)`.
        label: `(height, width)`.
        size: Height and width of the window; where an input is smaller, all of it is taken.
        seed: `(2,)` integers.

    Returns:
        Image and label of `min(height, size[0])` rows and `min(width, size[1])` columns.
    """
    extent = tf.minimum(tf.shape(label), size)
    free = tf.shape(label) - extent
    # Not stateless_uniform over integers: its upper bound must be one for both numbers.
    position = tf.random.stateless_uniform((2,), seed) * tf.cast(free + 1, tf.float32)
    # Rounding in the multiplication may reach the excluded bound itself.
    top, left = tf.unstack(tf.minimum(tf.cast(position, tf.int32), free))
    bottom, right = top + extent[0], left + extent[1]
    return image[top:bottom, left:right], label[top:bottom, left:right]


def pad_centered(
    image: tf.Tensor, label: tf.Tensor, size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pads both evenly to `size`; the odd row or column goes to the bottom or the right.

    Args:
        image: `(height, width, channels)` with mean colour 0, padded with 0.
        label: `(height, width)`, padded with the ignored label.
        size: Height and width of the result, no smaller than the input's.

    Returns:
        Image `(*size, channels)` and label `size`, of static shape.
    """
    missing = tf.constant(size) - tf.shape(label)
    before = missing // 2
    paddings = tf.stack([before, missing - before], axis=1)
    label = tf.pad(label, paddings, constant_values=IGNORE_LABEL)
    image = tf.pad(image, tf.concat([paddings, [[0, 0]]], axis=0))
    return tf.ensure_shape(image, (*size, image.shape[-1])), tf.ensure_shape(label, size)


def random_flip(image: tf.Tensor, label: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mirrors both left to right with probability 1/2."""
    mirrored = tf.random.stateless_uniform((), seed) < 0.5
    return (
        tf.where(mirrored, image[:, ::-1], image),
        tf.where(mirrored, label[:, ::-1], label),
    )
