"""Runs the steps of a supernet's training on TensorFlow."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fasterseg import replicas
from keras_fasterseg.spaces.base import Choices, Tensor


class Engine(keras.Model):
    """Differentiates losses with a tape; all settings share one pass. See `SupernetTrainer`."""

    sync_batch_norm: bool

    def train_step(self, data):
        with replicas.together(self.sync_batch_norm):
            self.step(data)
        return {metric.name: metric.result() for metric in self.metrics}

    def update(
        self,
        choose: Callable[[], tuple[Choices, Any]],
        loss: Callable[[Choices], Tensor],
        trained: Sequence[tuple[keras.optimizers.Optimizer, Sequence[keras.Variable]]],
        terms: Callable[[Any], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        values = [variable.value for _, variables in trained for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            choices, own = choose()
            value = loss(choices)
            total = value if terms is None else value + terms(own)
            value, total = replicas.with_mean_value(value), replicas.with_mean_value(total)
        # A step may not use some weights, such as the heads of one role; decay and momentum still
        # apply to them.
        gradients = tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        for optimizer, variables in trained:
            optimizer.apply(gradients[: len(variables)], variables)
            gradients = gradients[len(variables) :]
        return value, total
