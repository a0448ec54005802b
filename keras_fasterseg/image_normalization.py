"""Normalises images for a network: scaled to [0, 1], zero mean, unit standard deviation."""

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
        mean: Mean of the three channels, for images scaled to [0, 1].
        std: Standard deviation of the three channels, for images scaled to [0, 1].

    Raises:
        ValueError: `mean` or `std` is not three numbers in [0, 1], or a `std` is zero.
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
        Float32 tensor of the shape of `images`; the mean colour becomes 0.
    """
    # Imported here: data sets and flags need the numbers above without Keras.
    from keras import ops

    # An exported graph then runs two operations instead of three.
    scale = 1.0 / (255.0 * std.astype("float64"))
    mean, scale = map(ops.convert_to_tensor, (255.0 * mean, scale.astype("float32")))
    return (ops.cast(images, "float32") - mean) * scale


def _three_numbers(name: str, values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, np.float32)
    if array.shape != (3,) or not np.all((array >= 0.0) & (array <= 1.0)):
        raise ValueError(
            f"`{name}` must be three numbers in [0, 1], for images scaled to [0, 1] (divide "
            f"values for bytes by 255). Received: {name}={values}"
        )
    return array
