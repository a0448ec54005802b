"""Base class of optimizers whose L2 term is part of the gradient, as in PyTorch."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


class L2Optimizer(keras.optimizers.Optimizer):
    """Adds `l2 * weight` to every weight's gradient; put it before an optimizer of Keras.

    Keras' `weight_decay` is decoupled: neither momentum nor clipping applies to it. A supernet's
    weights need a gigabyte. To save memory, weights are updated one after another, and
    `global_clipnorm` scales each gradient only at that time. The L2 term is added after clipping.

    With `gradient_accumulation_steps`, an update uses the mean gradient over that number of calls
    of `apply`, and the L2 term once. Learning rate schedules count calls, as in Keras. With
    `use_ema`, the averages start at the weights' initial values and change only with updates;
    Keras' averages change with every call.

    Args:
        *args: As for the optimizer of Keras.
        l2: Factor of the L2 term.
        **kwargs: As for the optimizer of Keras.
    """

    def __init__(self, *args, l2: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.l2 = l2
        self._after: list[Any] = []
        self._scale: tf.Tensor | None = None

    def build(self, variables):
        super().build(variables)
        for average, variable in zip(self.averages or (), variables, strict=False):
            # Keras' averages start at zero, which would be wrong before the first update.
            average.assign(variable)

    @property
    def averages(self) -> list[keras.Variable] | None:
        """Moving averages of the weights, in the order of `build`; `None` without `use_ema`."""
        return list(self._model_variables_moving_average) if self.use_ema else None

    def apply(self, grads, trainable_variables=None):
        self._after, self._scale = [], None
        # Created once for all weights: in a graph, every use of a Python number is a node.
        self._l2 = tf.constant(self.l2)
        return super().apply(grads, trainable_variables)

    def _clip_gradients(self, grads):
        distributed = tf.distribute.get_strategy().num_replicas_in_sync > 1
        if not self.global_clipnorm or distributed:
            # Each replica clips its own gradients.
            return super()._clip_gradients(grads)
        norm = tf.maximum(tf.linalg.global_norm(grads), self.global_clipnorm)
        self._scale = self.global_clipnorm / norm
        return grads

    def update_step(self, gradient, variable, learning_rate):
        with tf.control_dependencies([*self._after, gradient]):
            if self._scale is not None:
                gradient = gradient * tf.cast(self._scale, gradient.dtype)
            gradient = gradient + tf.cast(self._l2, variable.dtype) * variable
            self._after = self._update(gradient, variable, learning_rate)

    def _update(self, gradient, variable, learning_rate) -> list[Any]:
        """Updates `variable` by its complete gradient; returns what the next update waits for."""
        super().update_step(gradient, variable, learning_rate)
        return [tf.convert_to_tensor(variable)]

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}

    def _update_model_variables_moving_average(self, trainable_variables):
        average = super()._update_model_variables_moving_average
        if not self.gradient_accumulation_steps:
            average(trainable_variables)
            return
        ops.cond(
            ops.equal((self._iterations + 1) % self.gradient_accumulation_steps, 0),
            lambda: average(trainable_variables),
            lambda: None,
        )
