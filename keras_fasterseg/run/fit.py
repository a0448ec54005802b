"""The training loop of all jobs, with logs and checkpoints; a stopped training resumes."""

import csv
import functools
import itertools
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np
from keras import ops

from keras_fasterseg import workers
from keras_fasterseg.files import atomic_path
from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.datasets import Batches
from keras_fasterseg.run.epoch_summaries import EpochScalars
from keras_fasterseg.run.names import LOG
from keras_fasterseg.run.training_callbacks import (
    LogRemaining,
    WatchLoss,
    has_finite_weights,
    synchronize_variables,
)


@runtime_checkable
class Stateful(Protocol):
    """A callback whose state is saved in checkpoints."""

    def get_state(self) -> dict[str, Any]:
        """Returns the state as JSON values."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state."""
        ...


def fit(
    trainer: keras.Model,
    batches: Batches,
    epochs: int,
    folder: pathlib.Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    minutes_between_checkpoints: float = 10.0,
) -> None:
    """Trains for `epochs` epochs in total, including those of an earlier call in `folder`.

    Writes a checkpoint after every epoch, and every few minutes within a long epoch. A stopped
    training resumes from its newest intact checkpoint. The checkpoint restores the weights,
    optimizers, random states, callback states and running means of the epoch's logs; the next
    batches are the same as without the stop. Writes `log.csv`, `tensorboard/` and `checkpoints/`.

    Args:
        trainer: A compiled model whose optimizers are built.
        batches: The training batches.
        epochs: Total number of epochs.
        folder: Folder of the stage.
        callbacks: Callbacks that run before an epoch's logs and checkpoint are written. `Stateful`
            ones are restored. None may rely on `params["epochs"]`.
        minutes_between_checkpoints: Minutes between checkpoints within an epoch. Every epoch also
            ends with a checkpoint.

    Raises:
        FloatingPointError: The loss or a weight is NaN or infinite; the message names the last
            good checkpoint.
        OSError: The disk is full, or another worker was lost.
    """
    checkpoints = Checkpoints(folder)
    state = checkpoints.restore(trainer) if workers.is_chief() else None
    state = state or {"epochs": 0, "callbacks": {}, "minutes": 0.0}
    progress = state["epochs"], state.get("steps", 0), state.get("stopped", False)
    done, steps, stopped = map(int, workers.from_chief(progress))
    if not workers.is_chief():
        callbacks = []
    for callback in callbacks:
        if isinstance(callback, Stateful) and _name(callback) in state["callbacks"]:
            callback.set_state(state["callbacks"][_name(callback)])
    for callback in callbacks:
        callback.set_model(trainer)
    if workers.is_chief():
        _keep_rows(folder / LOG, done)
    if stopped or done >= epochs:
        return
    writing = [
        *callbacks,
        _Log(folder / LOG, callbacks),
        EpochScalars(folder / "tensorboard"),
        _SaveCheckpoint(checkpoints, callbacks, state, minutes_between_checkpoints),
    ]
    run = functools.partial(
        trainer.fit,
        # The batches are already shuffled; Keras would warn if asked to shuffle them.
        shuffle=False,
        callbacks=[
            WatchLoss(checkpoints),
            LogRemaining((epochs - done) * batches.steps_per_epoch - steps),
            *(writing if workers.is_chief() else []),
            *([_FollowChief()] if workers.total() > 1 else []),
        ],
        verbose=_verbosity() if workers.is_chief() else 0,
    )
    with workers.loss_reported():
        _run(run, batches, epochs, done, steps, trainer)


def _run(run: Callable, batches: Batches, epochs: int, done: int, steps: int, trainer) -> None:
    """Trains the rest of a begun epoch, then the other ones."""
    if steps:
        run(
            batches.from_epoch(done, steps),
            initial_epoch=done,
            epochs=done + 1,
            steps_per_epoch=batches.steps_per_epoch - steps,
        )
        done += 1
    if done < epochs and not (steps and trainer.stop_training):
        run(
            batches.from_epoch(done),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=batches.steps_per_epoch,
        )


class _Log(keras.callbacks.CSVLogger):
    """Writes one row per epoch; a cell is empty if a callback logs nothing in that epoch."""

    def __init__(self, path: pathlib.Path, callbacks: Sequence[Any]):
        super().__init__(str(path), append=True)
        self._names = [name for each in callbacks for name in getattr(each, "log_names", ())]

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, {**dict.fromkeys(self._names, ""), **(logs or {})})


class _FollowChief(keras.callbacks.Callback):
    """Gives every worker the chief's variables before an epoch, and its decision to end after it.

    It must be the very last callback. Others run on the chief only, and may change variables.
    """

    def on_epoch_begin(self, epoch, logs=None):
        model = self.model
        groups = model.variables, model.non_trainable_variables, model.optimizer.variables
        every = {id(each): each for each in [*itertools.chain(*groups), *model.metrics_variables]}
        values = workers.from_chief([ops.convert_to_numpy(each) for each in every.values()])
        if not workers.is_chief():
            for variable, value in zip(every.values(), values, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = workers.chief_decides(self.model.stop_training)


class _SaveCheckpoint(keras.callbacks.Callback):
    """Writes the checkpoints. It must follow all callbacks that change the model."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        callbacks: Sequence[Any],
        state: dict[str, Any],
        minutes_between: float,
    ):
        super().__init__()
        self.checkpoints = checkpoints
        self.stateful = [callback for callback in callbacks if isinstance(callback, Stateful)]
        self.minutes_between = minutes_between
        self._epochs = state["epochs"]
        self._steps_before = state.get("steps", 0)
        # Keras resets the metrics before every epoch, but the first one may resume midway.
        self._means: list[Any] = state.get("means", []) if self._steps_before else []
        self._start = time.monotonic() - 60 * state["minutes"]
        self._saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        for variable, value in zip(self._metric_variables(), self._means, strict=False):
            variable.assign(value)
        self._means = []

    def on_train_batch_end(self, batch, logs=None):
        # After the last step, on_epoch_end writes the checkpoint.
        within = batch + 1 < self.params["steps"]
        if within and time.monotonic() - self._saved >= 60 * self.minutes_between:
            synchronize_variables(self.model)
            self._save(self._steps_before + batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._epochs, self._steps_before = epoch + 1, 0
        self._save(0)

    def _metric_variables(self) -> list[keras.Variable]:
        return [variable for metric in self.model.metrics for variable in metric.variables]

    def _save(self, steps: int) -> None:
        means = [ops.convert_to_numpy(variable) for variable in self._metric_variables()]
        if not (all(np.isfinite(mean).all() for mean in means) and has_finite_weights(self.model)):
            # WatchLoss ends the training after the next step.
            return
        state = {
            "callbacks": {_name(callback): callback.get_state() for callback in self.stateful},
            "stopped": bool(self.model.stop_training),
            "means": [mean.tolist() for mean in means],
            "minutes": (time.monotonic() - self._start) / 60,
        }
        self.checkpoints.save(self.model, self._epochs, steps, state)
        self._saved = time.monotonic()


def _name(callback: Any) -> str:
    return type(callback).__name__


def _keep_rows(log: pathlib.Path, epochs: int) -> None:
    """Keeps only the first `epochs` epochs of a CSV log: later ones are repeated."""
    if not log.is_file():
        return
    with open(log, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    kept = [row for row in rows[1:] if row[0].isdigit() and int(row[0]) < epochs]
    with atomic_path(log) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        # Keras writes a new header if no row is left.
        csv.writer(file).writerows([rows[0], *kept] if kept else [])


def _verbosity() -> int:
    """Selects Keras' progress bars on a terminal, one line per epoch elsewhere."""
    return 1 if sys.stdout.isatty() else 2
