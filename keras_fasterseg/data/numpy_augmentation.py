"""Random augmentation of an image and its label in NumPy: the same as `tensorflow_augmentation`."""

from collections.abc import Sequence

import numpy as np

from keras_fasterseg.data import philox
from keras_fasterseg.data.source import IGNORE_LABEL
from keras_fasterseg.data.window_resize import bilinear_window, nearest_window

GREY_SHARES = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the grey of a pixel (ITU-R BT.601)."""

Pair = tuple[np.ndarray, np.ndarray]
Size = tuple[int, int]


def random_scale(size: Size, scales: Sequence[float], seed: philox.Seed) -> Size:
    """Height and width `size` multiplied by one of `scales`, all equally likely, and rounded."""
    if tuple(scales) == (1.0,):
        return size
    scale = np.float32(scales[philox.below(seed, len(scales))])
    height, width = np.maximum(np.rint(np.array(size, np.float32) * scale).astype(int), 1).tolist()
    return height, width


def random_window(size: Size, largest: Size, seed: philox.Seed) -> tuple[slice, slice]:
    """Rows and columns of a window of at most `largest` in `size`, all positions equally likely."""
    windows = []
    for side, limit, random in zip(size, largest, philox.uniform(seed, 2), strict=True):
        extent = min(side, limit)
        free = side - extent
        # In float32, which may round up to the excluded bound.
        start = min(int(np.float32(random) * np.float32(free + 1)), free)
        windows.append(slice(start, start + extent))
    return windows[0], windows[1]


def random_crop(
    image: np.ndarray,
    label: np.ndarray,
    scales: Sequence[float],
    size: Size,
    scale_seed: philox.Seed,
    crop_seed: philox.Seed,
) -> Pair:
    """Scales both by one of `scales` and cuts the same window of at most `size` out of both.

    Only the window is computed.

    Args:
        image: `(height, width, 3)` uint8, resized bilinearly.
        label: `(height, width)` uint8, resized by nearest neighbour.
        scales: Positive factors.
        size: Height and width of the window; a smaller image is kept in full.
        scale_seed: Seed of the factor.
        crop_seed: Seed of the position.

    Returns:
        The image as float32, and the label.
    """
    height, width = label.shape
    scaled = random_scale((height, width), scales, scale_seed)
    window = random_window(scaled, size, crop_seed)
    return bilinear_window(image, scaled, *window), nearest_window(label, scaled, *window)


def random_colors(image: np.ndarray, strength: float, seed: philox.Seed) -> np.ndarray:
    """Changes brightness, contrast and saturation; see `tensorflow_augmentation`."""
    random = np.array(philox.uniform(seed, 3), np.float32)
    factors = np.float32(1) + np.float32(strength) * (np.float32(2) * random - np.float32(1))
    brightness, contrast, saturation = factors
    image = image * brightness
    mean = np.mean(_grey(image))
    image = mean + contrast * (image - mean)
    grey = _grey(image)
    return np.clip(grey + saturation * (image - grey), 0, 255)


def _grey(image: np.ndarray) -> np.ndarray:
    return (image @ np.array(GREY_SHARES, np.float32))[..., None]


def pad_centered(image: np.ndarray, label: np.ndarray, size: Size) -> Pair:
    """Pads both to `size`, centred; an odd row goes to the bottom, an odd column to the right.

    Args:
        image: `(height, width, channels)`, normalised so that the mean colour is 0; padded with 0.
        label: `(height, width)`, padded with the ignored label.
        size: Height and width of the result, at least those of the input.
    """
    missing = [after - before for before, after in zip(label.shape, size, strict=True)]
    if not any(missing):
        return image, label
    paddings = [(each // 2, each - each // 2) for each in missing]
    return (
        np.pad(image, [*paddings, (0, 0)]),
        np.pad(label, paddings, constant_values=IGNORE_LABEL),
    )


def random_shift(image: np.ndarray, label: np.ndarray, distance: int, seed: philox.Seed) -> Pair:
    """Moves both by up to `distance` pixels in every direction; `pad_centered` fills the rest."""
    height, width = label.shape
    larger = height + 2 * distance, width + 2 * distance
    window = random_window(larger, (height, width), seed)
    padded, padded_label = pad_centered(image, label, larger)
    return padded[window], padded_label[window]


def random_flip(image: np.ndarray, label: np.ndarray, seed: philox.Seed) -> Pair:
    """Mirrors both horizontally with probability 1/2."""
    if philox.uniform(seed, 1)[0] < 0.5:
        return image[:, ::-1], label[:, ::-1]
    return image, label
