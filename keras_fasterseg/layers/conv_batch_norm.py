"""Convolution, batch normalisation and optional ReLU: the building block of all networks."""

import keras
from keras import ops

from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization
from keras_fasterseg.layers.slimmable_conv2d import (
    SlimmableConv2D,
    Width,
    slimmable_output_spec,
)
from keras_fasterseg.layers.switchable_batch_normalization import SwitchableBatchNormalization

MOMENTUM = 0.9
EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class ConvBatchNorm(keras.layers.Layer):
    """Square convolution without bias, followed by batch normalisation and an optional ReLU.

    Zero padding is symmetric, `kernel_size // 2` on every side. This includes stride 2, where
    TensorFlow's `"same"` can pad only the end.

    Args:
        filters: Output channels at full width.
        kernel_size: Side of the kernel, odd.
        strides: Stride in both directions.
        relu: Whether to apply a ReLU at the end.
        width_multipliers: Possible widths, for a supernet; `None` for a plain layer.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        width: Output width, only with `width_multipliers`: see `SlimmableConv2D`.
        training: Whether batch statistics are used and the running ones updated.
        settings: Number of parts of the batch with separate statistics. Ignored with
            `width_multipliers`: the shape of `width` then gives the number.

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`, or fewer channels for an
        int width.

    Reference:
        FasterSeg's ConvNorm (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        relu: bool = True,
        width_multipliers: tuple[float, ...] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.relu = relu
        self.width_multipliers = None if width_multipliers is None else tuple(width_multipliers)
        if self.width_multipliers is None:
            if kernel_size % 2 == 0:
                raise ValueError(f"`kernel_size` must be odd. Received: kernel_size={kernel_size}")
            self.convolution = keras.layers.Conv2D(
                filters,
                kernel_size,
                strides=strides,
                padding="same" if strides == 1 else "valid",
                use_bias=False,
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name="convolution",
            )
            self.normalization = FusedBatchNormalization(
                momentum=MOMENTUM, epsilon=EPSILON, dtype=self.dtype_policy, name="normalization"
            )
        else:
            self.convolution = SlimmableConv2D(
                filters,
                kernel_size,
                strides=strides,
                width_multipliers=self.width_multipliers,
                # The normalisation after it applies the mask.
                masks_outputs=False,
                dtype=self.dtype_policy,
                name="convolution",
            )
            self.normalization = SwitchableBatchNormalization(
                self.width_multipliers,
                momentum=MOMENTUM,
                epsilon=EPSILON,
                dtype=self.dtype_policy,
                name="normalization",
            )

    def build(self, input_shape):
        # Open sizes, because inputs are padded first: Keras would reject sizes that need padding.
        self.convolution.build((input_shape[0], None, None, input_shape[-1]))
        self.normalization.build((*input_shape[:-1], self.filters))

    def call(self, inputs, width: Width = None, training: bool | None = None, settings: int = 1):
        if self.width_multipliers is None:
            outputs = self.convolution(self._pad(inputs))
            outputs = self.normalization(outputs, training=training, settings=settings)
        else:
            outputs = self.convolution(inputs, width=width)
            outputs = self.normalization(outputs, width=width, training=training)
        return ops.relu(outputs) if self.relu else outputs

    def _pad(self, inputs):
        margin = self.kernel_size // 2
        if self.strides == 1 or margin == 0:
            return inputs
        return ops.pad(inputs, ((0, 0), (margin, margin), (margin, margin), (0, 0)))

    def compute_output_shape(self, input_shape):
        height, width = (
            None if size is None else -(-size // self.strides) for size in input_shape[1:3]
        )
        return (input_shape[0], height, width, self.filters)

    def compute_output_spec(
        self, inputs, width: Width = None, training: bool | None = None, settings: int = 1
    ):
        return slimmable_output_spec(self, inputs, width)

    def get_config(self):
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "relu": self.relu,
            "width_multipliers": self.width_multipliers,
        }
        return {**super().get_config(), **config}
