"""A convolution that runs at several widths with one kernel."""

import itertools
from typing import Any

import keras
from keras import ops

from keras_fasterseg.filters import round_filters

# `None`: the widest. An int: index of the multiplier, the kernel is sliced. A one-hot tensor over
# the multipliers: the shape stays full and the channels past the width are zero. With a first axis
# of settings, `(settings, widths)`, the batch holds the samples of one setting after those of the
# other.
Width = int | None | Any


def active_filters(filters: int, width_multipliers: tuple[float, ...], width: Width) -> int:
    """The output channels at a width: all of `filters` for a one-hot width, which only masks.

    Raises:
        ValueError: `width` is an int but no index of a multiplier.
    """
    if width is None:
        width = len(width_multipliers) - 1
    if not isinstance(width, int):
        return filters
    if not 0 <= width < len(width_multipliers):
        raise ValueError(
            f"`width` must be an index of one of the {len(width_multipliers)} width multipliers "
            f"{width_multipliers}, counted from 0. Received: width={width}"
        )
    # Rounding goes up as well as down: 36 filters at multiplier 1 would become 40.
    return min(filters, round_filters(filters * width_multipliers[width]))


def width_mask(filters: int, width_multipliers: tuple[float, ...]) -> list[list[float]]:
    """One row a multiplier: 1 for the channels it keeps, 0 for the others."""
    kept = [
        active_filters(filters, width_multipliers, index) for index in range(len(width_multipliers))
    ]
    return [[1.0] * count + [0.0] * (filters - count) for count in kept]


def slimmable_output_spec(
    layer: keras.layers.Layer, inputs: keras.KerasTensor, width: Width
) -> keras.KerasTensor:
    """The symbolic output of a layer with `filters` and `width_multipliers` (or `None`) at a width.

    Keras would take it from `compute_output_shape`, which knows the full width alone.
    """
    shape = layer.compute_output_shape(inputs.shape)
    if layer.width_multipliers is not None:
        shape = (*shape[:-1], active_filters(layer.filters, layer.width_multipliers, width))
    return keras.KerasTensor(shape, dtype=layer.compute_dtype)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class SlimmableConv2D(keras.layers.Layer):
    """A 2-D convolution without bias whose first channels are a narrower convolution.

    At width `w` it equals a convolution with `kernel[:, :, :inputs, :round(filters * w)]`, where
    `inputs` are the active input channels and `round` goes to a multiple of 8. Two ways lead there:
    a Python int slices the kernel (the output is narrow), a one-hot tensor multiplies by a mask
    (the output is full, its channels past the width are zero), so that one graph serves every
    width. Inputs follow the same contract: either they have just the active channels, or those past
    the active ones are zero.

    Args:
        filters: Output channels at full width.
        kernel_size: Side of the kernel, odd.
        strides: Stride in both directions. Zero padding is symmetric, `kernel_size // 2`.
        width_multipliers: Multipliers in (0, 1], ascending, that `width` chooses from.
        masks_outputs: Whether channels past a one-hot width are zero; `False` spares that where a
            layer behind this one does it anyway.

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
    """`inputs * scale + offset` with a scale and an offset for each channel of each setting.

    Args:
        inputs: `(batch, height, width, channels)`, the samples setting by setting.
        scale: `(channels,)` for one setting, else `(settings, channels)`; one channel stands for
            all.
        offset: As `scale`, or `None`.
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
    """The rows of `rows` `(widths, ...)` that the one-hot `width` names."""
    return ops.tensordot(width, ops.cast(rows, width.dtype), axes=1)


def validate_width_multipliers(width_multipliers: tuple[float, ...]) -> None:
    """Raises `ValueError` unless the multipliers ascend strictly and lie in (0, 1]."""
    bounds = (0.0, *width_multipliers)
    ascending = all(low < high for low, high in itertools.pairwise(bounds))
    if len(bounds) == 1 or not ascending or bounds[-1] > 1:
        raise ValueError(
            "`width_multipliers` must be strictly ascending numbers in (0, 1]. "
            f"Received: width_multipliers={width_multipliers}"
        )
