"""Atrous spatial pyramid pooling: convolutions of several dilations side by side."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import EPSILON, MOMENTUM, ConvBatchNorm
from keras_fasterseg.layers.dilated_conv2d import DilatedConv2D
from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization

RATES = (6, 12, 18)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class AtrousPyramid(keras.layers.Layer):
    """1x1 conv-bn-relu and a dilated 3x3 conv-bn-relu per rate, joined; 1x1 conv-bn-relu.

    DeepLab's average over the image is left out: for a small batch, its batch statistics are those
    of a few values.

    Args:
        filters: Filters of every convolution.
        rates: Dilations of the 3x3 convolutions.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, height, width, filters)`.

    Reference:
        DeepLabv3 (https://arxiv.org/abs/1706.05587).
    """

    def __init__(self, filters: int, rates: Sequence[int] = RATES, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.rates = tuple(rates)
        dtype = self.dtype_policy
        self.pointwise = ConvBatchNorm(filters, 1, dtype=dtype, name="pointwise")
        self.dilated = [
            (
                DilatedConv2D(
                    filters,
                    3,
                    dilation_rate=rate,
                    use_bias=False,
                    kernel_initializer="he_normal",
                    dtype=dtype,
                    name=f"dilated_{rate}",
                ),
                FusedBatchNormalization(
                    momentum=MOMENTUM, epsilon=EPSILON, dtype=dtype, name=f"normalization_{rate}"
                ),
            )
            for rate in self.rates
        ]
        self.projection = ConvBatchNorm(filters, 1, dtype=dtype, name="projection")

    def build(self, input_shape):
        inner = (*input_shape[:-1], self.filters)
        self.pointwise.build(input_shape)
        for convolution, normalization in self.dilated:
            convolution.build(input_shape)
            normalization.build(inner)
        self.projection.build((*input_shape[:-1], (1 + len(self.rates)) * self.filters))

    def call(self, inputs, training: bool | None = None):
        maps = [self.pointwise(inputs, training=training)]
        for convolution, normalization in self.dilated:
            maps.append(ops.relu(normalization(convolution(inputs), training=training)))
        return self.projection(ops.concatenate(maps, axis=-1), training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "rates": self.rates}
