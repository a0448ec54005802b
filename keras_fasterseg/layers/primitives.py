"""The five primitives: the operations that a cell can have."""

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import EPSILON, MOMENTUM, ConvBatchNorm
from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization
from keras_fasterseg.layers.one_hot_width import OneHotWidth
from keras_fasterseg.layers.pointwise_reduction import pointwise_reduction
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.layers.slimmable_conv2d import (
    Width,
    active_filters,
    slimmable_output_spec,
    validate_width_multipliers,
)
from keras_fasterseg.layers.switchable_batch_normalization import SwitchableBatchNormalization

PRIMITIVES = ("skip", "conv", "conv_downup", "conv_2x", "conv_2x_downup")
"""Names of the primitives, in the order of the weights of `MixedOp`."""


def make_primitive(
    primitive: str,
    filters: int,
    strides: int = 1,
    width_multipliers: tuple[float, ...] | None = None,
    **kwargs,
) -> keras.layers.Layer:
    """Makes the layer of a primitive.

    Args:
        primitive: One of `PRIMITIVES`.
        filters: Output channels at full width.
        strides: 1 or 2.
        width_multipliers: Possible widths, for a supernet; `None` for a derived network, where a
            `skip` of stride 1 is the identity.
        **kwargs: Passed to the layer, for example `name` and `dtype`.

    Raises:
        ValueError: `primitive` is unknown.
    """
    if primitive not in PRIMITIVES:
        raise ValueError(f"`primitive` must be one of {PRIMITIVES}. Received: {primitive!r}")
    if primitive != "skip":
        convolutions = 2 if "2x" in primitive else 1
        zoomed = primitive.endswith("downup")
        return ConvPrimitive(filters, strides, convolutions, zoomed, width_multipliers, **kwargs)
    if strides == 2:
        return FactorizedReduce(filters, width_multipliers, **kwargs)
    if width_multipliers is None:
        return keras.layers.Identity(**kwargs)
    return ConvBatchNorm(filters, 1, width_multipliers=width_multipliers, **kwargs)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class ConvPrimitive(keras.layers.Layer):
    """One or two 3x3 conv-bn-relu, at full resolution or at half resolution ("zoomed").

    A zoomed primitive halves its input bilinearly and convolves at stride 1. With `strides=1` it
    resizes back before its last ReLU; with `strides=2` the output stays at half the size.

    Args:
        filters: Output channels at full width.
        strides: 1 or 2.
        convolutions: 1 or 2.
        zoomed: Whether to convolve at half resolution.
        width_multipliers: Possible widths, or `None` for a plain layer.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        width: Output width, only with `width_multipliers`: see `SlimmableConv2D`.
        training: As in `ConvBatchNorm`.

    Output shape:
        `(batch, height / strides, width / strides, filters)`, fewer channels for an int width.
        Sizes are rounded up; zoomed at stride 2, rounded down.

    Reference:
        FasterSeg, section 3.1 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        convolutions: int = 1,
        zoomed: bool = False,
        width_multipliers: tuple[float, ...] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if strides not in (1, 2) or convolutions not in (1, 2):
            raise ValueError(
                "`strides` and `convolutions` must be 1 or 2. "
                f"Received: strides={strides}, convolutions={convolutions}"
            )
        self.filters = filters
        self.strides = strides
        self.convolutions = convolutions
        self.zoomed = zoomed
        self.width_multipliers = None if width_multipliers is None else tuple(width_multipliers)
        self.resizes_back = zoomed and strides == 1
        self.blocks = [
            ConvBatchNorm(
                filters,
                3,
                strides=strides if index == 0 and not zoomed else 1,
                relu=index + 1 < convolutions or not self.resizes_back,
                width_multipliers=self.width_multipliers,
                dtype=self.dtype_policy,
                name=f"block_{index}",
            )
            for index in range(convolutions)
        ]

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
            input_shape = (*input_shape[:-1], self.filters)

    def call(self, inputs, width: Width = None, training: bool | None = None):
        height, columns = ops.shape(inputs)[1:3]
        outputs = inputs
        if self.zoomed:
            outputs = resize_bilinear(outputs, (_half(height), _half(columns)))
        for block in self.blocks:
            outputs = block(outputs, width=width, training=training)
        if self.resizes_back:
            outputs = ops.relu(resize_bilinear(outputs, (height, columns)))
        return outputs

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        if self.strides == 2:
            rounding = 0 if self.zoomed else 1
            height = None if height is None else (height + rounding) // 2
            width = None if width is None else (width + rounding) // 2
        return (batch, height, width, self.filters)

    def compute_output_spec(self, inputs, width: Width = None, training: bool | None = None):
        return slimmable_output_spec(self, inputs, width)

    def get_config(self):
        config = {
            "filters": self.filters,
            "strides": self.strides,
            "convolutions": self.convolutions,
            "zoomed": self.zoomed,
            "width_multipliers": self.width_multipliers,
        }
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class FactorizedReduce(keras.layers.Layer):
    """Skip of stride 2: two 1x1 convolutions of stride 2, offset by one pixel, concatenated.

    Half of the channels use the even rows and columns, the other half the odd ones. Batch
    normalisation and a ReLU follow. Height and width must be even.

    Args:
        filters: Output channels at full width, even.
        width_multipliers: Possible widths, or `None` for a plain layer.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        width: Output width, only with `width_multipliers`: see `SlimmableConv2D`.
        training: As in `ConvBatchNorm`.

    Output shape:
        `(batch, height / 2, width / 2, filters)`, fewer channels for an int width.

    Reference:
        DARTS' FactorizedReduce (https://arxiv.org/abs/1806.09055).
    """

    def __init__(
        self,
        filters: int,
        width_multipliers: tuple[float, ...] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if filters % 2:
            raise ValueError(f"`filters` must be even. Received: filters={filters}")
        self.filters = filters
        self.width_multipliers = None if width_multipliers is None else tuple(width_multipliers)
        if self.width_multipliers is not None:
            validate_width_multipliers(self.width_multipliers)
            self.normalization = SwitchableBatchNormalization(
                self.width_multipliers,
                momentum=MOMENTUM,
                epsilon=EPSILON,
                dtype=self.dtype_policy,
                name="normalization",
            )
        else:
            self.normalization = FusedBatchNormalization(
                momentum=MOMENTUM, epsilon=EPSILON, dtype=self.dtype_policy, name="normalization"
            )

    def build(self, input_shape):
        shape = (1, 1, input_shape[-1], self.filters // 2)
        self.even_kernel = self.add_weight(name="even_kernel", shape=shape, initializer="he_normal")
        self.odd_kernel = self.add_weight(name="odd_kernel", shape=shape, initializer="he_normal")
        self.normalization.build((*input_shape[:-1], self.filters))

    def call(self, inputs, width: Width = None, training: bool | None = None):
        _require_even(inputs)
        even = ops.convert_to_tensor(self.even_kernel)[:, :, : inputs.shape[-1]]
        odd = ops.convert_to_tensor(self.odd_kernel)[:, :, : inputs.shape[-1]]

        def join(even, odd):
            pairs = ((inputs, even), (inputs[:, 1:, 1:], odd))
            halves = [pointwise_reduction(*pair, training) for pair in pairs]
            return ops.concatenate(halves, axis=-1)

        if self.width_multipliers is None:
            return ops.relu(self.normalization(join(even, odd), training=training))
        if width is None or isinstance(width, int):
            half = self._half(width)
            outputs = join(even[..., :half], odd[..., :half])
        else:
            outputs = self._place(join(even, odd), width)
        return ops.relu(self.normalization(outputs, width=width, training=training))

    def _half(self, width: int | None) -> int:
        return active_filters(self.filters, self.width_multipliers or (), width) // 2

    def _place(self, inputs, width):
        """Moves the active channels of both halves to the front, as in other layers."""
        width = OneHotWidth.of(width)
        placement = ops.cast(width.select(self._placements()), inputs.dtype)
        placement = ops.reshape(placement, (-1, self.filters, self.filters))
        rows = ops.reshape(inputs, (placement.shape[0], -1, self.filters))
        return ops.reshape(ops.matmul(rows, placement), ops.shape(inputs))

    def _placements(self) -> np.ndarray:
        """Maps channels of both halves to output channels, shape `(widths, filters, filters)`."""
        placements = []
        for index in range(len(self.width_multipliers or ())):
            half = self._half(index)
            placement = np.zeros((self.filters, self.filters), "float32")
            channels = np.arange(half)
            placement[channels, channels] = 1
            placement[self.filters // 2 + channels, half + channels] = 1
            placements.append(placement)
        return np.stack(placements)

    def compute_output_shape(self, input_shape):
        height, width = (None if size is None else size // 2 for size in input_shape[1:3])
        return (input_shape[0], height, width, self.filters)

    def compute_output_spec(self, inputs, width: Width = None, training: bool | None = None):
        return slimmable_output_spec(self, inputs, width)

    def get_config(self):
        config = {"filters": self.filters, "width_multipliers": self.width_multipliers}
        return {**super().get_config(), **config}


def _half(side):
    # At least one pixel: 1/32 of the smallest image is a single pixel.
    return max(side // 2, 1) if isinstance(side, int) else ops.maximum(side // 2, 1)


def _require_even(inputs):
    if any(size is not None and size % 2 for size in inputs.shape[1:3]):
        raise ValueError(
            "A skip of stride 2 needs even height and width. "
            f"Received: shape={tuple(inputs.shape)}. Pad the images to a multiple of 32."
        )
