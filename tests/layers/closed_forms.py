"""Convolution and batch normalisation by the book, in NumPy and float64."""

import numpy as np


def convolve(
    images: np.ndarray,
    kernel: np.ndarray,
    strides: int = 1,
    dilation: tuple[int, int] = (1, 1),
) -> np.ndarray:
    """Cross-correlation with symmetric zero padding, `dilation * (size // 2)` on every side.

    Args:
        images: `(batch, height, width, channels)`.
        kernel: `(rows, columns, channels, filters)`, rows and columns odd.
        strides: Stride in both directions.
        dilation: Dilation of the rows and of the columns.
    """
    margins = [rate * (size // 2) for rate, size in zip(dilation, kernel.shape[:2], strict=True)]
    padding = ((0, 0), *((margin, margin) for margin in margins), (0, 0))
    padded = np.pad(images.astype("float64"), padding)
    spans = [2 * margin + 1 for margin in margins]
    windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(1, 2))
    windows = windows[:, ::strides, ::strides, :, :: dilation[0], :: dilation[1]]
    return np.einsum("bhwcyx,yxcf->bhwf", windows, kernel)


def normalize(images, mean, variance, gamma, beta, epsilon: float = 1e-5) -> np.ndarray:
    return (images - mean) / np.sqrt(variance + epsilon) * gamma + beta


def batch_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance over batch, height and width."""
    images = images.astype("float64")
    return images.mean((0, 1, 2)), images.var((0, 1, 2))


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)
