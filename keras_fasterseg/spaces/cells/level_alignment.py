"""Brings a feature map to the scale and the channels of the fusion cell."""

from typing import Any

import keras

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.resize import Resize


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class LevelAlignment(keras.layers.Layer):
    """1x1 convolution and batch normalisation, with a bilinear resize at the coarser of two sizes.

    Args:
        filters: Output channels.
        scale: Factor of height and width: 0.25, 0.5, 1 or 2.

    Input shape:
        `(batch, height, width, channels)`; sides are multiples of 1 / scale, if it is below 1.

    Output shape:
        `(batch, height * scale, width * scale, filters)`.
    """

    def __init__(self, filters: int, scale: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.scale = scale
        self.projection = ConvBatchNorm(
            filters, 1, relu=False, dtype=self.dtype_policy, name="projection"
        )
        self.resize = None if scale == 1 else Resize(scale, dtype=self.dtype_policy, name="resize")

    def build(self, input_shape):
        self.projection.build((input_shape[0], None, None, input_shape[-1]))

    def call(self, inputs, training: bool | None = None):
        outputs = inputs
        if self.resize is not None and self.scale < 1:
            outputs = self.resize(outputs, training=training)
        outputs = self.projection(outputs, training=training)
        if self.resize is not None and self.scale > 1:
            outputs = self.resize(outputs, training=training)
        return outputs

    def compute_output_shape(self, input_shape):
        if self.resize is not None:
            input_shape = self.resize.compute_output_shape(input_shape)
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "scale": self.scale}
