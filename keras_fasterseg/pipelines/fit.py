"""How every training job runs: with logs, checkpoints, and on from where it was stopped."""

import csv
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import keras

from keras_fasterseg.files import atomic_path
from keras_fasterseg.pipelines.checkpoints import Checkpoints
from keras_fasterseg.pipelines.datasets import Batches
from keras_fasterseg.pipelines.training_callbacks import StopOnNaN

LOG = "log.csv"


@runtime_checkable
class Stateful(Protocol):
    """A callback whose memory belongs to a checkpoint."""

    def get_state(self) -> dict[str, Any]:
        """The memory as JSON holds it."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes it back."""
        ...


def fit(
    trainer: keras.Model,
    batches: Batches,
    epochs: int,
    folder: pathlib.Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains for `epochs` epochs, or for those that an earlier call in `folder` left.

    A checkpoint is written after every epoch. A training that was stopped goes on after its
    newest one: with the same weights, optimizers, random numbers, memories of callbacks and the
    batches that would have come next. Writes `log.csv`, `tensorboard/` and `checkpoints/`.

    Args:
        trainer: A compiled model whose optimizers are built.
        batches: Where batches come from.
        epochs: Epochs in all.
        folder: Folder of the stage.
        callbacks: Run before the logs and the checkpoint of an epoch; those that are `Stateful`
            are restored.

    Raises:
        FloatingPointError: The loss is NaN or infinite; no checkpoint is written then.
        OSError: The disk is full.
    """
    checkpoints = Checkpoints(folder)
    state = checkpoints.restore(trainer) or {"epochs": 0, "callbacks": {}, "minutes": 0.0}
    done, stopped = state["epochs"], state.get("stopped", False)
    for callback in callbacks:
        if isinstance(callback, Stateful) and _name(callback) in state["callbacks"]:
            callback.set_state(state["callbacks"][_name(callback)])
        callback.set_model(trainer)
    _keep_rows(folder / LOG, done)
    if stopped or done >= epochs:
        return
    trainer.fit(
        batches.from_epoch(done),
        initial_epoch=done,
        epochs=epochs,
        steps_per_epoch=batches.steps_per_epoch,
        # The batches are shuffled already; Keras warns if it is asked to.
        shuffle=False,
        callbacks=[
            StopOnNaN(),
            *callbacks,
            keras.callbacks.CSVLogger(str(folder / LOG), append=True),
            keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
            _SaveCheckpoint(checkpoints, callbacks, state["minutes"]),
        ],
        verbose=_verbosity(),
    )


class _SaveCheckpoint(keras.callbacks.Callback):
    """Writes a checkpoint after every epoch; it stands last, so that the epoch is over."""

    def __init__(self, checkpoints: Checkpoints, callbacks: Sequence[Any], minutes: float):
        super().__init__()
        self.checkpoints = checkpoints
        self.stateful = [callback for callback in callbacks if isinstance(callback, Stateful)]
        self._start = time.monotonic() - 60 * minutes

    def on_epoch_end(self, epoch, logs=None):
        state = {
            "callbacks": {_name(callback): callback.get_state() for callback in self.stateful},
            "stopped": bool(self.model.stop_training),
            "minutes": (time.monotonic() - self._start) / 60,
        }
        self.checkpoints.save(self.model, epoch + 1, state)


def _name(callback: Any) -> str:
    return type(callback).__name__


def _keep_rows(log: pathlib.Path, epochs: int) -> None:
    """Leaves the first `epochs` epochs in a CSV log: those after them are run again."""
    if not log.is_file():
        return
    with open(log, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    kept = [row for row in rows[1:] if row[0].isdigit() and int(row[0]) < epochs]
    with atomic_path(log) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        # Without a row Keras writes the header anew.
        csv.writer(file).writerows([rows[0], *kept] if kept else [])


def _verbosity() -> int:
    """Keras' bars on a terminal, a line an epoch elsewhere."""
    return 1 if sys.stdout.isatty() else 2
