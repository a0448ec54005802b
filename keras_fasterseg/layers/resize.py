"""Bilinear resizing with aligned corners, the only resize of feature maps in this package.

Output k of n is sampled at `k * (inputs - 1) / (n - 1)`; other toolkits call this
`align_corners=True`. `keras.ops.image.resize` does not support it (it uses half-pixel centres).
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

# No network uses finer scales; the bound keeps `size * numerator` within int32.
_LARGEST_DENOMINATOR = 1024


def resize_bilinear(
    images: Tensor, size: tuple[Dimension, Dimension], as_products: bool = False
) -> Tensor:
    """Resizes `images` bilinearly with aligned corners.

    A side of one pixel is allowed: a single input is repeated, and a single output is the first
    input.

    Args:
        images: Float tensor of shape `(batch, height, width, channels)`.
        size: New `(height, width)`: integers, or (TensorFlow only) scalar integer tensors.
        as_products: Whether to multiply by interpolation matrices if all sizes except the batch
            size are known. On a CPU their gradient is three times faster than TensorFlow's kernel,
            whose gradient uses one thread. Not for exports: the graph would have no `Resize`.

    Returns:
        A tensor of shape `(batch, *size, channels)` with the dtype of `images`. The arithmetic
        always uses float32.

    Raises:
        ValueError: `images` is not a 4D float tensor, or `size` is not two positive values.
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
            f"Received: size={size}. Use larger images or a larger scale."
        )
    if all(isinstance(side, int) for side in size) and tuple(images.shape[1:3]) == tuple(size):
        return images
    resize = _RESIZES.get(keras.backend.backend(), _resize_with_keras)
    if as_products and all(isinstance(side, int) for side in (*images.shape[1:], *size)):
        resize = _resize_with_products
    # Compute in float32 and cast back: TensorFlow's kernel returns float32 only, and sample
    # positions in half precision are off by entire pixels on images of a few thousand pixels.
    return ops.cast(resize(ops.cast(images, "float32"), size), dtype)


def _resize_with_tensorflow(images: Tensor, size: tuple[Dimension, Dimension]) -> Tensor:
    # One kernel here and one `Resize` node in ONNX, instead of about 37 nodes for the formula.
    if not all(isinstance(side, int) for side in size):
        size = tf.stack([tf.cast(side, tf.int32) for side in size])
    return tf.raw_ops.ResizeBilinear(images=images, size=size, align_corners=True)


def _resize_with_torch(images: Tensor, size: tuple[int, int]) -> Tensor:
    # Likewise a single kernel and a single node.
    import torch  # pyright: ignore[reportMissingImports]

    planes = ops.transpose(images, (0, 3, 1, 2))
    resized = torch.nn.functional.interpolate(
        planes, size=tuple(size), mode="bilinear", align_corners=True
    )
    return ops.transpose(resized, (0, 2, 3, 1))


_RESIZES = {"tensorflow": _resize_with_tensorflow, "torch": _resize_with_torch}


def _resize_with_products(images: Tensor, size: tuple[int, int]) -> Tensor:
    _, height, width, channels = images.shape
    rows, columns = interpolation_matrix(height, size[0]), interpolation_matrix(width, size[1])
    # Work on planes: losses need them, and matrix products are fastest on them.
    planes = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, width))
    planes = ops.reshape(ops.matmul(planes, columns.T), (-1, channels, height, size[1]))
    return ops.transpose(ops.matmul(rows, planes), (0, 2, 3, 1))


def interpolation_matrix(inputs: int, outputs: int) -> np.ndarray:
    """Interpolation weights, float32 `(outputs, inputs)`: row k weighs the inputs of output k."""
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
    """Scale and translation that make `scale_and_translate` align corners.

    The function samples output k at `(k + .5 - translation) / scale - .5` and returns 0 for samples
    outside `[-.5, inputs - .5]`; both one-pixel cases must stay inside.
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
        scale: Factor of height and width, above 0. It is rounded to the nearest fraction with a
            denominator of at most 1024, so that static and dynamic sizes are equal.

    Call arguments:
        inputs: The feature maps.
        training: Whether a gradient is needed: see `as_products` of `resize_bilinear`.

    Input shape:
        `(batch, height, width, channels)`; height and width may be `None` (TensorFlow).

    Output shape:
        `(batch, floor(height * scale), floor(width * scale), channels)`; sides are at least 1.

    Raises:
        ValueError: `scale` rounds to a fraction that is not positive.
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
        # It has no variables.
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        _, height, width, _ = ops.shape(inputs)
        size = self._scaled(height), self._scaled(width)
        # Only on a CPU: a GPU's kernel is fast, and its matrix products may round to 10 bits.
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
        inputs: `[images, reference]`. Only the height and width of the reference are used; it gets
            no gradient.

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
