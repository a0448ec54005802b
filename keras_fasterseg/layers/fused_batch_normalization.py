"""Keras batch normalisation that trains with one fused operation if the backend has one."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.batch_normalize import batch_normalize, batch_normalize_settings


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of images over batch, height and width; inference is unchanged Keras.

    The running variance is updated with the unbiased batch variance, as in PyTorch.

    Args:
        **kwargs: Arguments of `keras.layers.BatchNormalization`. Channels must be last, with
            both a scale and an offset or neither, and unsynchronised statistics.

    Raises:
        ValueError: The layer has only a scale or only an offset, or its statistics are
            synchronised.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        training: Whether batch statistics are used and the running ones updated.
        settings: Number of consecutive parts of the batch with separate statistics.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        The shape of the inputs.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.center != self.scale or self.synchronized:
            raise ValueError(
                "`center` and `scale` must be equal and `synchronized` False. Received: "
                f"center={self.center}, scale={self.scale}, synchronized={self.synchronized}"
            )

    def call(self, inputs: Any, training: bool | None = None, settings: int = 1) -> Any:
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        values = ops.cast(inputs, "float32")
        if self.scale:
            gamma, beta = (ops.cast(weight, "float32") for weight in (self.gamma, self.beta))
        else:
            gamma, beta = ops.ones(values.shape[-1:]), ops.zeros(values.shape[-1:])
        if settings == 1:
            outputs, *statistics = batch_normalize(values, gamma, beta, self.epsilon)
            statistics = [value[None] for value in statistics]
        else:
            outputs, *statistics = batch_normalize_settings(
                values, [gamma] * settings, [beta] * settings, self.epsilon
            )
        shares = (1 - self.momentum) * self.momentum ** np.arange(settings, dtype="float32")[::-1]
        running = (self.moving_mean, self.moving_variance)
        for weight, value in zip(running, statistics, strict=True):
            change = ops.sum(ops.multiply(shares[:, None], value), axis=0)
            weight.assign(self.momentum**settings * weight + change)
        return ops.cast(outputs, self.compute_dtype)
