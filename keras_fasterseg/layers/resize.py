"""Bilinear resizing whose corners stay corners: the only resize of the whole house.

Sample k of n outputs lies at `k * (inputs - 1) / (n - 1)`, what other toolkits call
`align_corners=True`. `keras.ops.image.resize` cannot do that (its pixels are half-pixel centred).
"""

import fractions
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.tensorflow_cpu import computes_on_tensorflow_cpu

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
else:
    tf: Any = None

Tensor = Any  # a tensor of the backend that Keras runs on
Dimension = int | Tensor
Shape = tuple[int | None, ...]

# Finer scales are no scales of a network; the bound keeps `size * numerator` within int32.
_LARGEST_DENOMINATOR = 1024


def resize_bilinear(
    images: Tensor, size: tuple[Dimension, Dimension], as_products: bool = False
) -> Tensor:
    """Resizes `images` bilinearly with aligned corners.

    One side of a single pixel is safe: a single input is repeated, a single output is the first
    input.

    Args:
        images: Float tensor of shape `(batch, height, width, channels)`.
        size: New `(height, width)`: integers, or (TensorFlow only) scalar integer tensors.
        as_products: Whether to multiply by interpolation matrices where all sizes but that of the
            batch are known. Their gradient is three times as fast on a CPU, where that of
            TensorFlow's kernel has one thread; exported it would not be a `Resize`.

    Returns:
        A tensor of shape `(batch, *size, channels)` and of the dtype of `images`. The arithmetic is
        in float32 whatever that dtype is.

    Raises:
        ValueError: `images` are not 4D floats, or `size` is not two positive values.
    """
    dtype = keras.backend.standardize_dtype(images.dtype)
    if len(images.shape) != 4 or "float" not in dtype:
        raise ValueError(
            "`images` must be floats of shape (batch, height, width, channels). "
            f"Received: shape={tuple(images.shape)}, dtype={dtype}. Cast or reshape them first."
        )
    if len(size) != 2 or any(isinstance(side, int) and side < 1 for side in size):
        raise ValueError(
            "`size` must be (height, width), both at least 1. "
            f"Received: size={size}. Are the images too small to be scaled down this far?"
        )
    if all(isinstance(side, int) for side in size) and tuple(images.shape[1:3]) == tuple(size):
        return images
    resize = _resize_with_tensorflow if tf is not None else _resize_with_keras
    if as_products and all(isinstance(side, int) for side in (*images.shape[1:], *size)):
        resize = _resize_with_products
    # TensorFlow's kernel answers in float32 only, and half-precision sample positions are wrong by
    # whole pixels on images of a few thousand: float32 inside, the caller's dtype outside.
    return ops.cast(resize(ops.cast(images, "float32"), size), dtype)


def _resize_with_tensorflow(images: Tensor, size: tuple[Dimension, Dimension]) -> Tensor:
    # One kernel here and one `Resize` node in ONNX; the formula below becomes about 37 of them.
    if not all(isinstance(side, int) for side in size):
        size = tf.stack([tf.cast(side, tf.int32) for side in size])
    return tf.raw_ops.ResizeBilinear(images=images, size=size, align_corners=True)


def _resize_with_products(images: Tensor, size: tuple[int, int]) -> Tensor:
    _, height, width, channels = images.shape
    rows, columns = interpolation_matrix(height, size[0]), interpolation_matrix(width, size[1])
    # In planes, which the losses want and matrix products are fastest on.
    planes = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, width))
    planes = ops.reshape(ops.matmul(planes, columns.T), (-1, channels, height, size[1]))
    return ops.transpose(ops.matmul(rows, planes), (0, 2, 3, 1))


def interpolation_matrix(inputs: int, outputs: int) -> np.ndarray:
    """Row k holds the weights of the inputs in output k, float32 `(outputs, inputs)`."""
    positions = np.linspace(0, inputs - 1, outputs)
    weights = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(inputs)))
    return weights.astype("float32")


def _resize_with_keras(images: Tensor, size: tuple[int, int]) -> Tensor:
    batch, height, width, channels = ops.shape(images)
    (row_scale, row_translation), (column_scale, column_translation) = (
        _scale_and_translation(inputs, outputs)
        for inputs, outputs in zip((height, width), size, strict=True)
    )
    return ops.image.scale_and_translate(
        images,
        (batch, *size, channels),
        scale=ops.convert_to_tensor([row_scale, column_scale], "float32"),
        translation=ops.convert_to_tensor([row_translation, column_translation], "float32"),
        spatial_dims=(1, 2),
        method="linear",
        antialias=False,
    )


def _scale_and_translation(inputs: int, outputs: int) -> tuple[float, float]:
    """How `scale_and_translate` maps half-pixel centres so that corners fall on corners.

    It samples output k at `(k + .5 - translation) / scale - .5` and answers 0 for samples outside
    of `[-.5, inputs - .5]`; both cases of one pixel have to keep within.
    """
    if inputs == 1:
        return float(outputs), 0.0
    if outputs == 1:
        return 1.0, 0.0
    scale = (outputs - 1) / (inputs - 1)
    return scale, 0.5 - 0.5 * scale


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Resize(keras.layers.Layer):
    """Resizes feature maps by a constant factor, bilinearly with aligned corners.

    Args:
        scale: The factor of height and width, above 0. It is taken as the nearest fraction with a
            denominator of at most 1024, so that static and dynamic sizes are the same integers.

    Call arguments:
        inputs: The feature maps.
        training: Whether a gradient will be taken: see `as_products` of `resize_bilinear`.

    Input shape:
        `(batch, height, width, channels)`; height and width may be `None` (TensorFlow).

    Output shape:
        `(batch, floor(height * scale), floor(width * scale), channels)`, no side below 1.

    Raises:
        ValueError: `scale` is not a positive number.
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        ratio = fractions.Fraction(scale).limit_denominator(_LARGEST_DENOMINATOR)
        if ratio <= 0:
            raise ValueError(
                f"`scale` must be at least 1/{_LARGEST_DENOMINATOR}. Received: scale={scale}"
            )
        self.scale = scale
        self._ratio = ratio

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        _, height, width, _ = ops.shape(inputs)
        size = self._scaled(height), self._scaled(width)
        # A GPU's kernel is fast, and its matrix products may round to 10 bits.
        as_products = bool(training) and computes_on_tensorflow_cpu()
        return resize_bilinear(inputs, size, as_products)

    def _scaled(self, side: Dimension) -> Dimension:
        scaled = side * self._ratio.numerator // self._ratio.denominator
        return max(scaled, 1) if isinstance(side, int) else ops.maximum(scaled, 1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else self._scaled(height),
            None if width is None else self._scaled(width),
            channels,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class ResizeLike(keras.layers.Layer):
    """Resizes feature maps to the height and width of others, bilinearly with aligned corners.

    Call arguments:
        inputs: `[images, reference]`. Of the reference only the height and width are used, no
            gradient reaches it.

    Input shape:
        `[(batch, height, width, channels), (any, new_height, new_width, any)]`; heights and widths
        may be `None` (TensorFlow).

    Output shape:
        `(batch, new_height, new_width, channels)`.
    """

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        images, reference = inputs
        _, height, width, _ = ops.shape(reference)
        return resize_bilinear(images, (height, width))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return (batch, height, width, channels)
