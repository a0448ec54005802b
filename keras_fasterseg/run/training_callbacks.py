"""Parts that all training jobs share: the optimizer, the guard against NaN, what remains."""

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from absl import logging

from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.wording import duration

# Guessing costs ln(classes) a prediction: a pretraining step adds up twenty of them, about 110, and
# weights of rare classes make it some hundreds.
_EXPLODED = 1e4
_FIRST_SECONDS = 60.0


class WatchLoss(keras.callbacks.Callback):
    """Ends training with an error when the loss is NaN or infinite; warns when it has exploded.

    It stands first among the callbacks, so that none works on what is no network any more.

    Args:
        checkpoints: Of this training, for the newest to be named; all of them are of finite losses
            and weights.

    Raises:
        FloatingPointError: After the step in which it happened, or at the end of the epoch whose
            last step has left weights that are no numbers.
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
        kept = "there is no checkpoint yet" if newest is None else f"the last good one is {newest}"
        raise FloatingPointError(
            f"{what} in epoch {self._epoch + 1}; lower the learning rate, and delete "
            f"{self.checkpoints.stage} or choose another workdir. Of its checkpoints {kept}."
        )


class LogRemaining(keras.callbacks.Callback):
    """Logs the time that is left of a training: after its first minute, and whenever that doubles.

    The first step, which traces, does not count; evaluations between steps do.

    Args:
        steps: Steps that the training has left.
        clock: Seconds that pass.
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
            "%.3g s a step: about %s remain of this training.", seconds, duration(left * seconds)
        )


def has_finite_weights(model: keras.Model) -> bool:
    """True if all trained weights are finite."""
    return all(np.isfinite(np.array(weight)).all() for weight in model.trainable_variables)


def _loss(logs: dict[str, Any] | None) -> float:
    return float((logs or {}).get("loss", 0.0))
