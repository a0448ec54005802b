"""Decoder step: joins a coarse feature map with one of twice its size."""

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.resize import ResizeLike


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class UpsampleFusion(keras.layers.Layer):
    """1x1 conv-bn-relu of the coarse map, resize to the fine one, concatenate, 3x3 conv-bn-relu.

    Args:
        filters: Output filters of both convolutions.

    Call arguments:
        inputs: `[coarse, fine]`, both `(batch, height, width, channels)`.
        training, settings: As in `ConvBatchNorm`.

    Output shape:
        `(batch, height of fine, width of fine, filters)`.

    Reference:
        FasterSeg's released `arms` and `refines` (https://arxiv.org/abs/1912.10917).
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.reduction = ConvBatchNorm(filters, 1, dtype=self.dtype_policy, name="reduction")
        self.resize = ResizeLike(dtype=self.dtype_policy, name="resize")
        self.refinement = ConvBatchNorm(filters, 3, dtype=self.dtype_policy, name="refinement")

    def build(self, input_shape):
        coarse, fine = input_shape
        self.reduction.build(coarse)
        self.resize.build([(*coarse[:-1], self.filters), fine])
        self.refinement.build((*fine[:-1], self.filters + fine[-1]))

    def call(self, inputs, training: bool | None = None, settings: int = 1):
        coarse, fine = inputs
        coarse = self.reduction(coarse, training=training, settings=settings)
        joined = ops.concatenate([self.resize([coarse, fine]), fine], axis=-1)
        return self.refinement(joined, training=training, settings=settings)

    def compute_output_shape(self, input_shape):
        return (*input_shape[1][:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}
