"""What every training job shares: the optimizer and the guard against NaN."""

import math

import keras

from keras_fasterseg.training.l2_sgd import L2SGD


class StopOnNaN(keras.callbacks.Callback):
    """Ends training with an error when the loss is NaN or infinite.

    It stands first among the callbacks, so that none works on what is no network any more.

    Raises:
        FloatingPointError: At the end of the epoch in which it happened.
    """

    def on_epoch_end(self, epoch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss is {loss} after epoch {epoch + 1}; lower the learning rate."
            )


def decaying_sgd(
    learning_rate: float, decay: float, steps_per_epoch: int, momentum: float, l2: float
) -> L2SGD:
    """SGD whose learning rate falls by a factor from epoch to epoch."""
    schedule = keras.optimizers.schedules.ExponentialDecay(
        learning_rate, decay_steps=steps_per_epoch, decay_rate=decay, staircase=True
    )
    return L2SGD(schedule, momentum=momentum, l2=l2)
