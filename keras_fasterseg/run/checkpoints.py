"""Checkpoints of a training; the newest two are kept."""

import pathlib
import shutil
from typing import Any

import keras
from absl import logging

from keras_fasterseg.files import atomic_path, read_json, remove_partial, sha256, write_json

FOLDER = "checkpoints"
_WEIGHTS = "trainer.weights.h5"
_STATE = "state.json"
_KEPT = 2


class Checkpoints:
    """Checkpoints of one training in a stage's folder.

    A checkpoint is a folder `checkpoints/epoch_NNNN_step_NNNNNN`, named after the finished epochs
    and the finished steps of the next one. It holds the trainer's weights, including optimizers
    and random states, and a JSON file with everything else and the hash of the weights. It is
    written under a temporary name and renamed when complete.

    Args:
        folder: Folder of the stage.
    """

    def __init__(self, folder: pathlib.Path):
        self.stage = pathlib.Path(folder)
        self.folder = self.stage / FOLDER

    def save(self, trainer: keras.Model, epochs: int, steps: int, state: dict[str, Any]) -> None:
        """Writes the checkpoint after `epochs` epochs and `steps` steps of the next one.

        Then removes all but the newest two.

        Raises:
            OSError: The disk is full; earlier checkpoints are unchanged.
        """
        with atomic_path(self.folder / f"epoch_{epochs:04d}_step_{steps:06d}") as path:
            path.mkdir()
            trainer.save_weights(path / _WEIGHTS)
            facts = {"epochs": epochs, "steps": steps, "sha256": sha256(path / _WEIGHTS)}
            write_json(path / _STATE, {**state, **facts})
        for old in self._paths()[:-_KEPT]:
            shutil.rmtree(old)

    def restore(self, trainer: keras.Model) -> dict[str, Any] | None:
        """Loads the newest intact checkpoint into `trainer` and returns its state.

        Corrupt checkpoints are logged and skipped. Returns `None` if there is nothing to resume.
        """
        remove_partial(self.folder)
        for path in reversed(self._paths()):
            state = _readable_state(path)
            if state is None:
                continue
            trainer.load_weights(path / _WEIGHTS)
            logging.info(
                "Resuming after epoch %d, step %d, from %s.",
                state["epochs"],
                state["steps"],
                path,
            )
            return state
        return None

    def stopped(self) -> bool:
        """True if the newest checkpoint belongs to a training that ended before its last epoch."""
        paths = self._paths()
        return bool(paths) and bool(read_json(paths[-1] / _STATE).get("stopped", False))

    def minutes(self) -> float:
        """Minutes of training up to the newest checkpoint with a readable state; 0 without one."""
        for path in reversed(self._paths()):
            if (path / _STATE).is_file():
                try:
                    return float(read_json(path / _STATE).get("minutes", 0.0))
                except (ValueError, AttributeError):
                    continue
        return 0.0

    def newest(self) -> pathlib.Path | None:
        """Path of the newest checkpoint; `None` if none exists."""
        paths = self._paths()
        return paths[-1] if paths else None

    def exist(self) -> bool:
        """True if any checkpoint exists."""
        return bool(self._paths())

    def remove(self, keep_newest: bool = False) -> None:
        """Removes all checkpoints, or all but the newest, after the end of a training."""
        if not keep_newest:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for old in self._paths()[:-1]:
            shutil.rmtree(old)

    def _paths(self) -> list[pathlib.Path]:
        return sorted(self.folder.glob("epoch_*"))


def _readable_state(path: pathlib.Path) -> dict[str, Any] | None:
    try:
        state = read_json(path / _STATE)
        if sha256(path / _WEIGHTS) != state["sha256"]:
            raise ValueError("its weights do not match their recorded hash")
    except (OSError, ValueError, KeyError, TypeError) as error:
        logging.warning("The checkpoint %s is corrupt (%s); skipping it.", path, error)
        return None
    return state
