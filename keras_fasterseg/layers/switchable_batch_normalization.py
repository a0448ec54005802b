"""Batch normalisation with separate parameters and statistics for every width."""

import keras
from keras import ops

from keras_fasterseg.layers.batch_normalize import (
    batch_normalize,
    batch_normalize_settings,
)
from keras_fasterseg.layers.one_hot_width import OneHotWidth
from keras_fasterseg.layers.slimmable_conv2d import (
    Width,
    active_filters,
    scale_settings,
    validate_width_multipliers,
)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class SwitchableBatchNormalization(keras.layers.Layer):
    """Normalises over batch, height and width; each width has its own scale, offset and statistics.

    Channels past the width are zero in the output. The running variance is updated with the
    unbiased batch variance, as in PyTorch.

    Args:
        width_multipliers: Possible widths, as ascending multipliers in (0, 1].
        momentum: Share of the old running statistics that an update keeps.
        epsilon: Added to the variance.

    Call arguments:
        inputs: `(batch, height, width, channels)`; only the active channels if `width` is an int.
        width: Index of a multiplier (int), a one-hot tensor `(len(width_multipliers),)` or, for
            several settings along the batch, `(settings, len(width_multipliers))`, or `None` for
            the widest. Each setting has separate batch statistics.
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
            outputs = self._sliced(values, width, training)
        else:
            outputs = self._masked(values, OneHotWidth.of(width), training)
        return ops.cast(outputs, self.compute_dtype)

    def _sliced(self, values, width, training):
        active = active_filters(self.channels, self.width_multipliers, width)
        gamma, beta, mean, variance = (
            ops.cast(weight[width, :active], "float32")
            for weight in (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        )
        if not training:
            return self._affine(values, gamma, beta, mean, variance)
        outputs, *statistics = batch_normalize(values, gamma, beta, self.epsilon)
        padding = ((0, 0), (0, self.channels - active))
        self._update_statistics(
            [ops.pad(value[None], padding) for value in statistics],
            OneHotWidth(ops.one_hot([width], len(self.width_multipliers))),
        )
        return outputs

    def _masked(self, values, width, training):
        mask = width.mask(self.channels, self.width_multipliers)
        gamma, beta = (
            ops.cast(width.select(weight), "float32") * mask for weight in (self.gamma, self.beta)
        )
        if not training:
            mean, variance = map(width.select, (self.moving_mean, self.moving_variance))
            return self._affine(values, gamma, beta, mean, variance)
        if width.has_settings:
            outputs, *statistics = batch_normalize_settings(
                values, ops.unstack(gamma), ops.unstack(beta), self.epsilon
            )
        else:
            outputs, mean, variance = batch_normalize(values, gamma, beta, self.epsilon)
            statistics = mean[None], variance[None]
        # Inputs need not be zero past the width, but kept statistics are, as with slicing.
        self._update_statistics([value * mask for value in statistics], width)
        return outputs

    def _affine(self, values, gamma, beta, mean, variance):
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        return scale_settings(values, scale, beta - mean * scale)

    def _update_statistics(self, statistics, width):
        old_share, shares = width.shares(self.momentum)
        for weight, values in zip(
            (self.moving_mean, self.moving_variance), statistics, strict=True
        ):
            weight.assign(old_share * weight + ops.matmul(shares, values))

    def get_config(self):
        config = {
            "width_multipliers": self.width_multipliers,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
        return {**super().get_config(), **config}
