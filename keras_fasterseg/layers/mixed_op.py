"""The five primitives in parallel, blended by weight."""

import keras
from keras import ops

from keras_fasterseg.layers.one_hot_width import OneHotWidth
from keras_fasterseg.layers.primitives import PRIMITIVES, make_primitive
from keras_fasterseg.layers.slimmable_conv2d import (
    Width,
    scale_settings,
    slimmable_output_spec,
)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class MixedOp(keras.layers.Layer):
    """Weighted sum of all primitives: `sum_k weights[k] * primitive_k(inputs; width)`.

    The paper's `MixedOp(x) = sum_k softmax(alpha)_k * op_k(x) * g_in * g_out` is this layer with
    `weights = softmax(alpha) * g_in * g_out`. Both `g` have the value 1 and only carry gradients.

    Args:
        filters: Output channels at full width.
        strides: 1 keeps the scale; 2 halves height and width.
        width_multipliers: Possible widths.

    Call arguments:
        inputs: `(batch, height, width, channels)`, height and width even.
        weights: `(5,)`, in the order of `PRIMITIVES`; or `(settings, 5)` with a width per setting.
        width: Output width: see `SlimmableConv2D`.
        training: As in `ConvBatchNorm`.

    Output shape:
        `(batch, height / strides, width / strides, filters)`, fewer channels for an int width.

    Reference:
        FasterSeg, section 3.2 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        width_multipliers: tuple[float, ...] = (1.0,),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.width_multipliers = tuple(width_multipliers)
        self.primitives = [
            make_primitive(
                name,
                filters,
                strides,
                self.width_multipliers,
                dtype=self.dtype_policy,
                name=name,
            )
            for name in PRIMITIVES
        ]

    def build(self, input_shape):
        for primitive in self.primitives:
            primitive.build(input_shape)

    def call(self, inputs, weights, width: Width = None, training: bool | None = None):
        if width is not None and not isinstance(width, int):
            width = OneHotWidth.of(width)
        shares = ops.split(weights, len(self.primitives), axis=-1)
        return sum(
            scale_settings(primitive(inputs, width=width, training=training), share)
            for primitive, share in zip(self.primitives, shares, strict=True)
        )

    def compute_output_shape(self, input_shape):
        return self.primitives[0].compute_output_shape(input_shape)

    def compute_output_spec(
        self, inputs, weights, width: Width = None, training: bool | None = None
    ):
        return slimmable_output_spec(self, inputs, width)

    def get_config(self):
        config = {
            "filters": self.filters,
            "strides": self.strides,
            "width_multipliers": self.width_multipliers,
        }
        return {**super().get_config(), **config}
