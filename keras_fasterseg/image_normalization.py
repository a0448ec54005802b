"""From the bytes of an image to what a network sees: scaled to [0, 1], centred, of unit spread."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Mean and standard deviation of ImageNet's red, green and blue, for values in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def check_normalization(
    mean: Sequence[float], std: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """`mean` and `std` as float32 arrays of shape `(3,)`.

    Args:
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].

    Raises:
        ValueError: They are not three numbers in [0, 1] each, or a `std` is zero.
    """
    arrays = _three_numbers("mean", mean), _three_numbers("std", std)
    if not np.all(arrays[1] > 0.0):
        raise ValueError(f"Every `std` must be above 0. Received: std={list(std)}")
    return arrays


def normalize_images(images: Any, mean: np.ndarray, std: np.ndarray) -> Any:
    """`(images / 255 - mean) / std` in float32.

    Args:
        images: Tensor of shape `(..., height, width, 3)`, integers or floats in [0, 255].
        mean: Mean as `check_normalization` returns it.
        std: Standard deviation as `check_normalization` returns it.

    Returns:
        Float32 tensor of the shape of `images`; the mean colour is 0.
    """
    # Here, since data sets and flags need the numbers above and no Keras.
    from keras import ops

    # Two operations an exported graph has to run in place of three.
    scale = 1.0 / (255.0 * std.astype("float64"))
    return (ops.cast(images, "float32") - 255.0 * mean) * scale.astype("float32")


def _three_numbers(name: str, values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, np.float32)
    if array.shape != (3,) or not np.all((array >= 0.0) & (array <= 1.0)):
        raise ValueError(
            f"`{name}` must be three numbers in [0, 1], for images scaled to [0, 1] (divide "
            f"numbers for bytes by 255). Received: {name}={values}"
        )
    return array
