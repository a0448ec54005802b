"""Base class of optimizers whose L2 term is part of the gradient, as in PyTorch.

This file has a switch: on TensorFlow, weights are updated one after another to save memory.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg import replicas

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
else:
    tf: Any = None


class L2Optimizer(keras.optimizers.Optimizer):
    """Adds `l2 * weight` to every weight's gradient; put it before an optimizer of Keras.

    Keras' `weight_decay` is decoupled: neither momentum nor clipping applies to it. The L2 term is
    added after clipping. `exclude_from_weight_decay` applies to both. A supernet's weights need a
    gigabyte. To save memory, TensorFlow updates weights one after another, and `global_clipnorm`
    scales each gradient only at that time.

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
        self._scale: Any = None

    def build(self, variables):
        super().build(variables)
        for average, variable in zip(self.averages or (), variables, strict=False):
            # Keras' averages start at zero, which would be wrong before the first update.
            # JAX's training loop must not give one buffer away twice.
            average.assign(ops.copy(variable))

    @property
    def averages(self) -> list[keras.Variable] | None:
        """Moving averages of the weights, in the order of `build`; `None` without `use_ema`."""
        return list(self._model_variables_moving_average) if self.use_ema else None

    def apply(self, grads, trainable_variables=None):
        self._after, self._scale = [], None
        # A weight that a loss does not use has none.
        means = iter(replicas.mean_of([each for each in grads if each is not None]))
        grads = [each if each is None else next(means) for each in grads]
        # Created once for all weights: in a graph, every use of a Python number is a node.
        self._l2 = ops.convert_to_tensor(self.l2, "float32")
        return super().apply(grads, trainable_variables)

    def _clip_gradients(self, grads):
        if tf is None or not self.global_clipnorm or _adds_up_later():
            return super()._clip_gradients(grads)
        norm = tf.maximum(tf.linalg.global_norm(grads), self.global_clipnorm)
        self._scale = self.global_clipnorm / norm
        return grads

    # Gradients of replicas are those of the complete batch already: `tf.distribute` would add them
    # up again, and cannot do so within conditions.

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if replicas.count() == 1:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, getattr(variable, "value", variable), learning_rate)

    def _backend_increment_gradient_accumulators(self, grads, acc_grads):
        if replicas.count() == 1:
            super()._backend_increment_gradient_accumulators(grads, acc_grads)
            return
        for gradient, accumulator in zip(grads, acc_grads, strict=True):
            accumulator.assign_add(gradient)

    def update_step(self, gradient, variable, learning_rate):
        with _after([*self._after, gradient]):
            if self._scale is not None:
                gradient = gradient * ops.cast(self._scale, gradient.dtype)
            if self._use_weight_decay(variable):
                gradient = gradient + ops.cast(self._l2, variable.dtype) * variable
            self._after = self._update(gradient, variable, learning_rate)

    def _update(self, gradient, variable, learning_rate) -> list[Any]:
        """Updates `variable` by its complete gradient; returns what the next update waits for."""
        super().update_step(gradient, variable, learning_rate)
        return [ops.convert_to_tensor(variable)]

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}

    def _update_model_variables_moving_average(self, trainable_variables):
        if not self.gradient_accumulation_steps:
            super()._update_model_variables_moving_average(trainable_variables)
            return
        updates = ops.equal((self._iterations + 1) % self.gradient_accumulation_steps, 0)
        # As in Keras, the averages equal the weights after the first update.
        momentum = self.ema_momentum * ops.cast(ops.not_equal(self.iterations, 0), "float32")
        momentum = ops.where(updates, momentum, 1.0)
        for average, variable in zip(self.averages or (), trainable_variables, strict=True):
            average.assign(momentum * average + (1.0 - momentum) * variable)


def _adds_up_later() -> bool:
    """True if `tf.distribute` adds up gradients after every replica clipped its own."""
    return replicas.count() == 1 and tf.distribute.get_strategy().num_replicas_in_sync > 1


def _after(operations: Sequence[Any]) -> contextlib.AbstractContextManager:
    """Context whose operations run after others; other backends order them by their data."""
    return contextlib.nullcontext() if tf is None else tf.control_dependencies(operations)
