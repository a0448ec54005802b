"""SGD as in PyTorch: the L2 term is part of the gradient. Has a switch for TensorFlow's kernel."""

from typing import Any

import keras

from keras_fasterseg.training.l2_optimizer import L2Optimizer

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
else:
    tf: Any = None


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class L2SGD(L2Optimizer, keras.optimizers.SGD):
    """SGD with momentum and the L2 term of `L2Optimizer`.

    On TensorFlow, one operation updates a weight.

    Args:
        learning_rate: A number or a schedule.
        momentum: Share of the last update that is added to the next one.
        l2: Factor of the L2 term.
        **kwargs: As for `keras.optimizers.SGD`.

    Reference:
        `torch.optim.SGD(weight_decay=...)`.
    """

    def __init__(self, learning_rate=0.01, momentum: float = 0.9, l2: float = 0.0, **kwargs):
        super().__init__(learning_rate, momentum=momentum, l2=l2, **kwargs)

    def apply(self, grads, trainable_variables=None):
        if tf is not None:
            self._momentum = tf.constant(float(self.momentum))
        return super().apply(grads, trainable_variables)

    def _update(self, gradient, variable, learning_rate):
        if tf is None or self.momentum == 0:
            return super()._update(gradient, variable, learning_rate)
        update = tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.momentums[self._get_variable_index(variable)].value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(self._momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )
        # In eager mode no operation exists to wait for.
        return [] if update is None else [update]
