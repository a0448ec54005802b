"""Callbacks shared by all training jobs: the guard against NaN and the remaining time."""

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from absl import logging
from keras import ops

from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.wording import duration

# Guessing costs ln(classes) per prediction. A pretraining step adds up twenty predictions, about
# 110 in total; weights of rare classes raise that to a few hundred.
_EXPLODED = 1e4
_FIRST_SECONDS = 60.0


class WatchLoss(keras.callbacks.Callback):
    """Ends training with an error when the loss is NaN or infinite; warns when it has exploded.

    It must be the first callback, so that no other one uses a network with invalid weights.

    Args:
        checkpoints: Checkpoints of this training; the error names the newest. All of them have
            finite losses and weights.

    Raises:
        FloatingPointError: After a step with a NaN or infinite loss, or at the end of an epoch that
            left NaN or infinite weights.
    """

    def __init__(self, checkpoints: Checkpoints):
        super().__init__()
        self.checkpoints = checkpoints
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._check(_loss(logs))

    def on_epoch_end(self, epoch, logs=None):
        loss = _loss(logs)
        self._check(loss)
        if not has_finite_weights(self.model):
            self._stop("Weights are NaN or infinite")
        if abs(loss) > _EXPLODED:
            logging.warning(
                "The loss is %.3g after epoch %d: training has diverged. Lower the learning rate.",
                loss,
                epoch + 1,
            )

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            self._stop(f"The loss is {loss}")

    def _stop(self, what: str) -> None:
        newest = self.checkpoints.newest()
        kept = "No checkpoint exists yet" if newest is None else f"The last good one is {newest}"
        raise FloatingPointError(
            f"{what} in epoch {self._epoch + 1}. Lower the learning rate, and delete "
            f"{self.checkpoints.stage} or choose another workdir. {kept}."
        )


class LogRemaining(keras.callbacks.Callback):
    """Logs the remaining time of a training after about 1, 2, 4, 8 … minutes.

    The first step is not counted because it traces; evaluations between steps are.

    Args:
        steps: Remaining steps of the training.
        clock: Returns the time in seconds.
    """

    def __init__(self, steps: int, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self.steps = steps
        self._clock = clock
        self._done = 0
        self._start = 0.0
        self._next = _FIRST_SECONDS

    def on_train_batch_end(self, batch, logs=None):
        self._done += 1
        if self._done == 1:
            self._start = self._clock()
        elapsed = self._clock() - self._start
        left = self.steps - self._done
        if elapsed < self._next or not left:
            return
        self._next = 2 * elapsed
        seconds = elapsed / (self._done - 1)
        logging.info(
            "%.3g s per step; about %s of this training remain.", seconds, duration(left * seconds)
        )


def has_finite_weights(model: keras.Model) -> bool:
    """True if all trainable weights are finite."""
    weights = map(ops.convert_to_numpy, model.trainable_variables)
    return all(np.isfinite(weight).all() for weight in weights)


def synchronize_variables(model: keras.Model) -> None:
    """Gives variables the values of the last step, which JAX's training loop keeps to itself."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def _loss(logs: dict[str, Any] | None) -> float:
    return float((logs or {}).get("loss", 0.0))
