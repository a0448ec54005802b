"""Callback that evaluates and keeps the best weights."""

import math
from collections.abc import Callable
from typing import Any

import keras


class KeepBest(keras.callbacks.Callback):
    """Evaluates every few epochs and calls `save` when the score is the best so far.

    Adds the score to the epoch's logs, such as `val_miou`, so that progress bar, CSV and
    TensorBoard show it; epochs without an evaluation have no value. NaN (no labelled pixel) counts
    as the lowest.

    Args:
        evaluate: Evaluates the current model; the result has the attribute `metric`.
        save: Saves the model and that result.
        every: Number of epochs between evaluations; the last epoch is always evaluated.
        epochs: Number of epochs, which determines the last one. Default: that of the call of `fit`.
        metric: Name of the score.

    Attributes:
        best: The best score; minus infinity if it was NaN, `None` before the first evaluation.
        evaluations_since_best: Number of evaluations since then that were not better.
        log_names: Names that it adds to the logs of some epochs.
    """

    def __init__(
        self,
        evaluate: Callable[[], Any],
        save: Callable[[Any], None],
        every: int = 1,
        epochs: int | None = None,
        metric: str = "miou",
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"`every` must be positive. Received: every={every}")
        self.evaluate = evaluate
        self.save = save
        self.every = every
        self.epochs = epochs
        self.metric = metric
        self.log_names = (f"val_{metric}",)
        self.best: float | None = None
        self.evaluations_since_best = 0

    def is_due(self, epoch: int) -> bool:
        """True if epoch `epoch`, counted from 0, ends with an evaluation."""
        last = epoch + 1 == (self.epochs or self.params.get("epochs"))
        return (epoch + 1) % self.every == 0 or last

    def on_epoch_end(self, epoch, logs=None):
        if self.is_due(epoch):
            result = self.evaluate()
            value = getattr(result, self.metric)
            score = _score(value)
            if logs is not None:
                logs[f"val_{self.metric}"] = value
            if self.best is None or score > self.best:
                self.best = score
                self.evaluations_since_best = 0
                self.save(result)
            else:
                self.evaluations_since_best += 1

    def get_state(self) -> dict[str, Any]:
        """Returns the state needed to resume in another process, as JSON values."""
        return {
            "evaluated": self.best is not None,
            "best": _finite(self.best),
            "evaluations_since_best": self.evaluations_since_best,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state that `get_state` returned.

        Raises:
            KeyError: `state` does not come from `get_state`.
        """
        best = math.nan if state["best"] is None else float(state["best"])
        since_best = int(state["evaluations_since_best"])
        self.best = _score(best) if state["evaluated"] else None
        self.evaluations_since_best = since_best


def _score(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _finite(value: float | None) -> float | None:
    """Returns `None` for NaN and infinity, which JSON lacks."""
    return value if value is not None and math.isfinite(value) else None
