"""The callback that finds and keeps the best weights."""

from collections.abc import Callable

import keras


class KeepBest(keras.callbacks.Callback):
    """Evaluates every few epochs and calls `save` when the score has never been better.

    The score joins the epoch's logs as `val_miou`, so that CSV and TensorBoard show it.

    Args:
        evaluate: The score of the model as it is, larger is better.
        save: Writes the model.
        every: Evaluate after every so many epochs, and after the last.
    """

    def __init__(self, evaluate: Callable[[], float], save: Callable[[], None], every: int = 1):
        super().__init__()
        if every < 1:
            raise ValueError(f"`every` must be positive. Received: every={every}")
        self.evaluate = evaluate
        self.save = save
        self.every = every
        self.best = float("-inf")
        self.best_epoch: int | None = None

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not last:
            return
        score = self.evaluate()
        if logs is not None:
            logs["val_miou"] = score
        if score > self.best:
            self.best, self.best_epoch = score, epoch
            self.save()
