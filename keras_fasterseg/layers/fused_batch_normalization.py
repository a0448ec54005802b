"""Keras' batch normalisation, whose training is one fused operation where the backend has one."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.batch_normalize import batch_normalize


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Normalises images over batch, height and width; inference is Keras' own.

    The running variance is updated with the unbiased batch variance, as PyTorch does.

    Args:
        **kwargs: As for `keras.layers.BatchNormalization`, with the channels last.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        The shape of the inputs.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        outputs, *statistics = batch_normalize(
            ops.cast(inputs, "float32"),
            ops.cast(self.gamma, "float32"),
            ops.cast(self.beta, "float32"),
            self.epsilon,
        )
        running = (self.moving_mean, self.moving_variance)
        for weight, value in zip(running, statistics, strict=True):
            weight.assign(weight + (1.0 - self.momentum) * (value - weight))
        return ops.cast(outputs, self.compute_dtype)
