"""Downsampler of the joint space: halves the resolution and adds channels."""

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import EPSILON, MOMENTUM
from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Downsampler(keras.layers.Layer):
    """Concatenation of a 3x3 convolution of stride 2 and a 2x2 max-pool, batch norm, ReLU.

    The convolution has no bias; its zero padding is one pixel on every side.

    Args:
        filters: Output channels, more than the input has.

    Input shape:
        `(batch, height, width, channels)`; height and width are even.

    Output shape:
        `(batch, height / 2, width / 2, filters)`.

    Raises:
        ValueError: The input has `filters` channels or more.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.normalization = FusedBatchNormalization(
            momentum=MOMENTUM, epsilon=EPSILON, dtype=self.dtype_policy, name="normalization"
        )

    def build(self, input_shape):
        batch, *_, channels = input_shape
        if channels >= self.filters:
            raise ValueError(
                "`filters` must be above the number of input channels. "
                f"Received: filters={self.filters}, channels={channels}"
            )
        self.convolution = keras.layers.Conv2D(
            self.filters - channels,
            3,
            strides=2,
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.convolution.build((batch, None, None, channels))
        self.normalization.build(self.compute_output_shape(input_shape))

    def call(self, inputs, training: bool | None = None):
        padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
        branches = [self.convolution(padded), ops.max_pool(inputs, 2, 2)]
        outputs = self.normalization(ops.concatenate(branches, axis=-1), training=training)
        return ops.relu(outputs)

    def compute_output_shape(self, input_shape):
        height, width = (None if size is None else size // 2 for size in input_shape[1:3])
        return (input_shape[0], height, width, self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}
