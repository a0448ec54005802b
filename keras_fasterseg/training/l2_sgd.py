"""SGD as PyTorch knows it: the L2 term is part of the gradient."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class L2SGD(keras.optimizers.SGD):
    """SGD with momentum where `l2 * weight` is added to every weight's gradient.

    Keras' own `weight_decay` is decoupled: it never meets momentum nor clipping. Weights are
    updated one after the other, so that no more than one weight's intermediate values are in
    memory at a time (a supernet's weights are a gigabyte, and an update has four such values).

    With `gradient_accumulation_steps` an update takes the mean gradient of so many calls of
    `apply`, and the L2 term once; a schedule of the learning rate counts the calls, as in Keras.
    With `use_ema` the averages move with updates only, where Keras' move with every call, and
    they begin as the weights are.

    Args:
        learning_rate: A number or a schedule.
        momentum: Share of the last update that goes into the next one.
        l2: Factor of the L2 term.
        **kwargs: As for `keras.optimizers.SGD`.

    Reference:
        `torch.optim.SGD(weight_decay=...)`.
    """

    def __init__(self, learning_rate=0.01, momentum: float = 0.9, l2: float = 0.0, **kwargs):
        super().__init__(learning_rate, momentum=momentum, **kwargs)
        self.l2 = l2
        self._after: list[tf.Tensor] = []

    def build(self, variables):
        super().build(variables)
        for average, variable in zip(self.averages or (), variables, strict=False):
            # Keras begins at zero, which no one should see who looks before the first update.
            average.assign(variable)

    @property
    def averages(self) -> list[keras.Variable] | None:
        """The moving averages of the weights, in the order of `build`; `None` without `use_ema`."""
        return list(self._model_variables_moving_average) if self.use_ema else None

    def apply(self, grads, trainable_variables=None):
        self._after = []
        return super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        with tf.control_dependencies([*self._after, gradient]):
            regularized = gradient + self.l2 * tf.convert_to_tensor(variable)
            super().update_step(regularized, variable, learning_rate)
            self._after = [tf.convert_to_tensor(variable)]

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
