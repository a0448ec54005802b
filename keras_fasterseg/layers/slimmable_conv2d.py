"""Convolution with one kernel for several widths."""

import itertools
from typing import Any

import keras
from keras import ops

from keras_fasterseg.filters import round_filters

# `None`: the widest. Int: index of the multiplier; the kernel is sliced. One-hot tensor over the
# multipliers: the shape stays full, and channels past the width are zero. One-hot tensor
# `(settings, widths)`: the batch contains the samples of each setting in turn.
Width = int | None | Any


def active_filters(filters: int, width_multipliers: tuple[float, ...], width: Width) -> int:
    """Number of output channels at a width; `filters` for a one-hot width, which only masks.

    Raises:
        ValueError: `width` is an int but not the index of a multiplier.
    """
    if width is None:
        width = len(width_multipliers) - 1
    if not isinstance(width, int):
        return filters
    if not 0 <= width < len(width_multipliers):
        raise ValueError(
            f"`width` must be the index, from 0, of one of the {len(width_multipliers)} width "
            f"multipliers {width_multipliers}. Received: width={width}"
        )
    # Rounding can go up: 36 filters at multiplier 1 would become 40.
    return min(filters, round_filters(filters * width_multipliers[width]))


def width_mask(filters: int, width_multipliers: tuple[float, ...]) -> list[list[float]]:
    """Mask with one row per multiplier: 1 for channels that it keeps, 0 for the others."""
    kept = [
        active_filters(filters, width_multipliers, index) for index in range(len(width_multipliers))
    ]
    return [[1.0] * count + [0.0] * (filters - count) for count in kept]


def slimmable_output_spec(
    layer: keras.layers.Layer, inputs: keras.KerasTensor, width: Width
) -> keras.KerasTensor:
    """Symbolic output at a width, for a layer with `filters` and optional `width_multipliers`.

    Keras would use `compute_output_shape`, which only knows the full width.
    """
    shape = layer.compute_output_shape(inputs.shape)
    if layer.width_multipliers is not None:
        shape = (*shape[:-1], active_filters(layer.filters, layer.width_multipliers, width))
    return keras.KerasTensor(shape, dtype=layer.compute_dtype)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class SlimmableConv2D(keras.layers.Layer):
    """2-D convolution without bias whose first channels form narrower convolutions.

    At width `w` it equals a convolution with `kernel[:, :, :inputs, :round(filters * w)]`. `inputs`
    is the number of active input channels, and `round` rounds to a multiple of 8. A Python int
    slices the kernel; the output is narrow. A one-hot tensor multiplies by a mask: the output has
    full width, its channels past the width are zero, and one graph serves every width. Inputs
    follow the same contract: they have only the active channels, or the others are zero.

    Args:
        filters: Output channels at full width.
        kernel_size: Side of the kernel, odd.
        strides: Stride in both directions. Zero padding is symmetric, `kernel_size // 2`.
        width_multipliers: Possible widths, as ascending multipliers in (0, 1].
        masks_outputs: Whether channels past a one-hot width are set to zero. Use `False` if the
            next layer does this anyway.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        width: Index of a multiplier (int), a one-hot tensor `(len(width_multipliers),)` or, for
            several settings along the batch, `(settings, len(width_multipliers))`, or `None` for
            the widest.

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`, or fewer channels for an
        int width.

    Reference:
        Slimmable Neural Networks (https://arxiv.org/abs/1812.08928).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        width_multipliers: tuple[float, ...] = (1.0,),
        masks_outputs: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: kernel_size={kernel_size}")
        validate_width_multipliers(width_multipliers)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.width_multipliers = tuple(width_multipliers)
        self.masks_outputs = masks_outputs

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, input_shape[-1], self.filters),
            initializer="he_normal",
        )

    def call(self, inputs, width: Width = None):
        kernel = ops.convert_to_tensor(self.kernel)
        if width is None or isinstance(width, int):
            active = active_filters(self.filters, self.width_multipliers, width)
            return self._convolve(inputs, kernel[:, :, : inputs.shape[-1], :active])
        outputs = self._convolve(inputs, kernel)
        if not self.masks_outputs:
            return outputs
        width = ops.stop_gradient(width)
        mask = select_row(width, width_mask(self.filters, self.width_multipliers))
        return scale_settings(outputs, mask)

    def _convolve(self, inputs, kernel):
        margin = self.kernel_size // 2
        if self.strides == 1:
            return ops.conv(inputs, kernel, strides=1, padding="same")
        if margin:
            inputs = ops.pad(inputs, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        return ops.conv(inputs, kernel, strides=self.strides, padding="valid")

    def compute_output_shape(self, input_shape):
        height, width = (
            None if size is None else -(-size // self.strides) for size in input_shape[1:3]
        )
        return (input_shape[0], height, width, self.filters)

    def compute_output_spec(self, inputs, width: Width = None):
        return slimmable_output_spec(self, inputs, width)

    def get_config(self):
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "width_multipliers": self.width_multipliers,
            "masks_outputs": self.masks_outputs,
        }
        return {**super().get_config(), **config}


def scale_settings(inputs: Any, scale: Any, offset: Any = None) -> Any:
    """Computes `inputs * scale + offset` with scale and offset per channel and setting.

    Args:
        inputs: `(batch, height, width, channels)`, with samples grouped by setting.
        scale: `(channels,)` for one setting, else `(settings, channels)`; a single channel applies
            to all.
        offset: Same shape as `scale`, or `None`.
    """
    outputs = inputs
    if len(scale.shape) == 2:
        outputs = ops.reshape(inputs, (scale.shape[0], -1, inputs.shape[-1]))
        scale, offset = scale[:, None], None if offset is None else offset[:, None]
    outputs = outputs * ops.cast(scale, inputs.dtype)
    if offset is not None:
        outputs = outputs + ops.cast(offset, inputs.dtype)
    return ops.reshape(outputs, ops.shape(inputs)) if len(scale.shape) == 3 else outputs


def select_row(width, rows):
    """Selects from `rows` `(widths, ...)` by the one-hot `width`."""
    return ops.tensordot(width, ops.cast(rows, width.dtype), axes=1)


def validate_width_multipliers(width_multipliers: tuple[float, ...]) -> None:
    """Raises `ValueError` unless the multipliers are strictly ascending and in (0, 1]."""
    bounds = (0.0, *width_multipliers)
    ascending = all(low < high for low, high in itertools.pairwise(bounds))
    if len(bounds) == 1 or not ascending or bounds[-1] > 1:
        raise ValueError(
            "`width_multipliers` must be strictly ascending numbers in (0, 1]. "
            f"Received: width_multipliers={width_multipliers}"
        )
