"""Attention of a feature map to a coarse mask."""

import keras
from keras import ops

from keras_fasterseg.layers.resize import resize_bilinear


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class MaskGuidedAttention(keras.layers.Layer):
    """Strengthens features where a coarse mask and the features themselves ask for it.

    `A = sigmoid(conv3x3([F, mask resized to F]))`, `F' = F * (1 + A)`; A has one channel. The
    paper's abstract names mask-guided attention; the formula is our choice.

    Call arguments:
        inputs: `[features, mask]`: `(batch, height, width, channels)` and probabilities
            `(batch, any, any, 1)`.

    Output shape:
        `(batch, height, width, channels)`.

    Reference:
        OVS-Net (Sun et al., https://arxiv.org/abs/1905.10064).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv2D(
            1, 3, padding="same", dtype=self.dtype_policy, name="convolution"
        )

    def build(self, input_shape):
        features, _ = input_shape
        self.convolution.build((*features[:-1], features[-1] + 1))

    def call(self, inputs):
        features, mask = inputs
        return attended(features, self.attention(features, mask))

    def attention(self, features, mask):
        """The attention A, `(batch, height, width, 1)`, in [0, 1]."""
        mask = resize_bilinear(mask, tuple(features.shape[1:3]))
        return ops.sigmoid(self.convolution(ops.concatenate([features, mask], axis=-1)))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def attended(features, attention):
    """`features * (1 + attention)`: without attention, the features themselves."""
    return features * (1 + attention)
