"""Batch normalisation with parameters and statistics of its own for every width."""

import keras
from keras import ops

from keras_fasterseg.layers.batch_normalize import batch_normalize
from keras_fasterseg.layers.slimmable_conv2d import (
    Width,
    active_filters,
    select_row,
    validate_width_multipliers,
    width_mask,
)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class SwitchableBatchNormalization(keras.layers.Layer):
    """Normalises over batch, height and width; each width has its own scale, offset and statistics.

    Channels past the width leave as zero. The running variance is updated with the unbiased batch
    variance, as PyTorch does.

    Args:
        width_multipliers: Multipliers in (0, 1], ascending, that `width` chooses from.
        momentum: Share of the old running statistics that an update keeps.
        epsilon: Added to the variance.

    Call arguments:
        inputs: `(batch, height, width, channels)`; just the active channels if `width` is an int.
        width: Index of a multiplier (int), a one-hot tensor `(len(width_multipliers),)`, or `None`
            for the widest.
        training: Whether batch statistics are used and the running ones updated.

    Output shape:
        The shape of the inputs.

    Reference:
        Slimmable Neural Networks, section 3 (https://arxiv.org/abs/1812.08928).
    """

    def __init__(
        self,
        width_multipliers: tuple[float, ...],
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        validate_width_multipliers(width_multipliers)
        self.width_multipliers = tuple(width_multipliers)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape):
        channels = input_shape[-1]
        shape = (len(self.width_multipliers), channels)
        self.channels = channels
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=shape, initializer="zeros", trainable=False, autocast=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=shape, initializer="ones", trainable=False, autocast=False
        )

    def call(self, inputs, width: Width = None, training: bool | None = None):
        values = ops.cast(inputs, "float32")
        if width is None:
            width = len(self.width_multipliers) - 1
        if isinstance(width, int):
            active = active_filters(self.channels, self.width_multipliers, width)
            gamma, beta = self.gamma[width, :active], self.beta[width, :active]
        else:
            # Rows are selected in the dtype of the width: half precision would round statistics.
            width = ops.cast(width, "float32")
            mask = select_row(width, width_mask(self.channels, self.width_multipliers))
            gamma = select_row(width, self.gamma) * mask
            beta = select_row(width, self.beta) * mask
        gamma, beta = ops.cast(gamma, "float32"), ops.cast(beta, "float32")
        if training:
            outputs, mean, variance = batch_normalize(values, gamma, beta, self.epsilon)
            self._update_statistics(mean, variance, width)
            return ops.cast(outputs, self.compute_dtype)
        if isinstance(width, int):
            mean = self.moving_mean[width, :active]
            variance = self.moving_variance[width, :active]
        else:
            mean = select_row(width, self.moving_mean)
            variance = select_row(width, self.moving_variance)
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        return ops.cast(values * scale + (beta - mean * scale), self.compute_dtype)

    def _update_statistics(self, mean, variance, width):
        for weight, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            if isinstance(width, int):
                row = ops.one_hot(width, len(self.width_multipliers))
                value = ops.pad(value, ((0, self.channels - value.shape[0]),))
            else:
                row = ops.stop_gradient(width)
            change = (1.0 - self.momentum) * row[:, None] * (value[None, :] - weight)
            weight.assign(weight + change)

    def get_config(self):
        config = {
            "width_multipliers": self.width_multipliers,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
        return {**super().get_config(), **config}
