"""1x1 convolution of stride 2."""

from typing import Any

from keras import ops


def pointwise_reduction(inputs: Any, kernel: Any, training: bool | None) -> Any:
    """Convolves every second pixel of every second row.

    In training, the pixels are taken out first. With few channels, TensorFlow 2.21 writes outside
    its memory when it differentiates the strided convolution by the kernel on a CPU with AVX-512
    (oneDNN).

    Args:
        inputs: `(batch, height, width, channels)`.
        kernel: `(1, 1, channels, filters)`.
        training: Whether a gradient is needed.

    Returns:
        `(batch, ceil(height / 2), ceil(width / 2), filters)`.
    """
    if training:
        return ops.conv(inputs[:, ::2, ::2], kernel, strides=1, padding="valid")
    return ops.conv(inputs, kernel, strides=2, padding="valid")
