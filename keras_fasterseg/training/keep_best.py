"""The callback that finds and keeps the best weights."""

import math
from collections.abc import Callable
from typing import Any

import keras


class KeepBest(keras.callbacks.Callback):
    """Evaluates every few epochs and calls `save` when the mIoU has never been better.

    It joins the epoch's logs as `val_miou`, so that CSV and TensorBoard show it; epochs between
    repeat the last one. A NaN (no labelled pixel at all) counts as the least.

    Args:
        evaluate: Evaluates the model as it is; the result has an attribute `miou`.
        save: Writes the model and that result.
        every: Evaluate after every so many epochs, and after the last.
    """

    def __init__(self, evaluate: Callable[[], Any], save: Callable[[Any], None], every: int = 1):
        super().__init__()
        if every < 1:
            raise ValueError(f"`every` must be positive. Received: every={every}")
        self.evaluate = evaluate
        self.save = save
        self.every = every
        self.best: float | None = None
        self._latest = float("nan")

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every == 0 or last:
            result = self.evaluate()
            self._latest = result.miou
            score = -math.inf if math.isnan(result.miou) else result.miou
            if self.best is None or score > self.best:
                self.best = score
                self.save(result)
        if logs is not None:
            logs["val_miou"] = self._latest
