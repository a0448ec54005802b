"""Convolution and batch normalisation by the book, in NumPy and float64."""

import numpy as np


def convolve(images: np.ndarray, kernel: np.ndarray, strides: int = 1) -> np.ndarray:
    """Cross-correlation with symmetric zero padding `kernel_size // 2`.

    Args:
        images: `(batch, height, width, channels)`.
        kernel: `(size, size, channels, filters)`, size odd.
        strides: Stride in both directions.
    """
    size = kernel.shape[0]
    margin = size // 2
    padded = np.pad(images.astype("float64"), ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return np.einsum("bhwcyx,yxcf->bhwf", windows[:, ::strides, ::strides], kernel)


def normalize(images, mean, variance, gamma, beta, epsilon: float = 1e-5) -> np.ndarray:
    return (images - mean) / np.sqrt(variance + epsilon) * gamma + beta


def batch_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance over batch, height and width."""
    images = images.astype("float64")
    return images.mean((0, 1, 2)), images.var((0, 1, 2))


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)
