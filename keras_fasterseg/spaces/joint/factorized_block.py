"""Block of the joint space: a residual pair of dilated 3x1 and 1x3 convolutions."""

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import EPSILON, MOMENTUM
from keras_fasterseg.layers.dilated_conv2d import DilatedConv2D
from keras_fasterseg.layers.dropout import dropout
from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization
from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.tensorflow_cpu import computes_on_tensorflow_cpu


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class FactorizedBlock(SavesRandomState, keras.layers.Layer):
    """3x1 convolution, batch norm, ReLU, 1x3 convolution, batch norm, dropout, residual, ReLU.

    A pooled block halves its input with a 2x2 max-pool and resizes bilinearly (aligned corners)
    before the dropout. The residual is the first `filters` channels of the input; channels that the
    input lacks are zeros. The convolutions have no bias.

    Args:
        filters: Output channels.
        middle: Filters of the first convolution.
        dilation: Dilation of the 3x1 convolution along the height and of the 1x3 one along the
            width.
        pooled: Whether the convolutions run at half the resolution.
        dropout: Share of values that training sets to zero, before the residual is added.

    Input shape:
        `(batch, height, width, channels)`, at least 2x2 pixels if pooled.

    Output shape:
        `(batch, height, width, filters)`.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """

    def __init__(
        self,
        filters: int,
        middle: int,
        dilation: int = 1,
        pooled: bool = False,
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if min(filters, middle, dilation) < 1 or not 0 <= dropout < 1:
            raise ValueError(
                "`filters`, `middle` and `dilation` must be at least 1, and `dropout` at least 0 "
                f"and below 1. Received: filters={filters}, middle={middle}, dilation={dilation}, "
                f"dropout={dropout}"
            )
        self.filters = filters
        self.middle = middle
        self.dilation = dilation
        self.pooled = pooled
        self.dropout = dropout
        self.random = keras.random.SeedGenerator()
        self.vertical = self._convolution(middle, (3, 1), (dilation, 1), "vertical")
        self.horizontal = self._convolution(filters, (1, 3), (1, dilation), "horizontal")
        self.vertical_normalization, self.horizontal_normalization = (
            FusedBatchNormalization(
                momentum=MOMENTUM, epsilon=EPSILON, dtype=self.dtype_policy, name=name
            )
            for name in ("vertical_normalization", "horizontal_normalization")
        )

    def _convolution(self, filters, kernel_size, dilation, name):
        return DilatedConv2D(
            filters,
            kernel_size,
            dilation,
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape):
        # Open sizes, because a pooled block halves them.
        batch, *_, channels = input_shape
        self.vertical.build((batch, None, None, channels))
        self.vertical_normalization.build((batch, None, None, self.middle))
        self.horizontal.build((batch, None, None, self.middle))
        self.horizontal_normalization.build((batch, None, None, self.filters))

    def call(self, inputs, training: bool | None = None):
        outputs = ops.max_pool(inputs, 2, 2) if self.pooled else inputs
        outputs = self.vertical_normalization(self.vertical(outputs), training=training)
        outputs = self.horizontal(ops.relu(outputs))
        outputs = self.horizontal_normalization(outputs, training=training)
        if self.pooled:
            _, height, width, _ = ops.shape(inputs)
            as_products = bool(training) and computes_on_tensorflow_cpu()
            outputs = resize_bilinear(outputs, (height, width), as_products)
        if training and self.dropout > 0:
            outputs = dropout(outputs, self.dropout, self.random)
        return ops.relu(outputs + fit_channels(inputs, self.filters))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        config = {
            "filters": self.filters,
            "middle": self.middle,
            "dilation": self.dilation,
            "pooled": self.pooled,
            "dropout": self.dropout,
        }
        return {**super().get_config(), **config}


def fit_channels(inputs, filters: int):
    """The first `filters` channels of `(batch, height, width, channels)`; missing ones are zero."""
    missing = filters - inputs.shape[-1]
    if missing > 0:
        return ops.pad(inputs, ((0, 0), (0, 0), (0, 0), (0, missing)))
    return inputs[..., :filters]
