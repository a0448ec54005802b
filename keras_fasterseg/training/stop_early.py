"""Callback that ends training when the mIoU stops improving."""

import keras
from absl import logging

from keras_fasterseg.training.keep_best import KeepBest


class StopEarly(keras.callbacks.Callback):
    """Ends training after `patience` consecutive evaluations without a better mIoU.

    It must follow its `KeepBest` in the list of callbacks. Epochs without an evaluation do not
    count. All state is in `KeepBest`.

    Args:
        keep_best: The callback that evaluates.
        patience: Number of evaluations, at least 1; `None` never ends training.

    Raises:
        ValueError: `patience` is below 1.
    """

    def __init__(self, keep_best: KeepBest, patience: int | None) -> None:
        super().__init__()
        if patience is not None and patience < 1:
            raise ValueError(f"`patience` must be at least 1 or None. Received: {patience}")
        self.keep_best = keep_best
        self.patience = patience

    def on_epoch_end(self, epoch, logs=None):
        waited = self.keep_best.evaluations_since_best
        if self.patience is not None and waited >= self.patience:
            logging.info(
                "Training ends after epoch %d: none of the last %d evaluations improved the mIoU "
                "of %.4f.",
                epoch + 1,
                waited,
                self.keep_best.best,
            )
            self.model.stop_training = True
