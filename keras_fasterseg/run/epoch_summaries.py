"""TensorBoard summaries without duplicates when an epoch is repeated, and without TensorFlow."""

import contextlib
import io
import os
import pathlib
import socket
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import keras
import numpy as np
from keras import ops
from PIL import Image

# Generated when they are imported, so type checkers do not know them.
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.plugins.image import metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.util.tensor_util import make_tensor_proto

from keras_fasterseg.data.record_file import write_record

_MARK = ".epoch_"
_VALIDATION = "val_"


class EventFile:
    """Writes summaries of one step to an event file.

    Args:
        file: The file, opened for writing.
        step: The step.
    """

    def __init__(self, file: BinaryIO, step: int):
        self._file = file
        self._step = step
        self._write(file_version="brain.Event:2")

    def scalar(self, tag: str, value: float) -> None:
        """Writes a number."""
        self._write(step=self._step, summary=scalar_pb(tag, value))

    def image(self, tag: str, pixels: np.ndarray) -> None:
        """Writes an image, `(height, width, 3)` uint8."""
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        height, width = pixels.shape[:2]
        summary = Summary()
        summary.value.add(
            tag=tag,
            tensor=make_tensor_proto([b"%d" % width, b"%d" % height, png.getvalue()]),
            metadata=metadata.create_summary_metadata(display_name=None, description=None),
        )
        self._write(step=self._step, summary=summary)

    def _write(self, **fields: Any) -> None:
        write_record(self._file, Event(wall_time=time.time(), **fields).SerializeToString())


class EpochSummaries:
    """A folder of event files, one per epoch.

    A search or training that was killed repeats its last epoch. Event files of that epoch and of
    later ones are removed first.

    Args:
        folder: Folder of the event files; TensorBoard names the run after it.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    @contextlib.contextmanager
    def epoch(self, epoch: int) -> Iterator[EventFile]:
        """Context that yields the event file of step `epoch`."""
        for path in self.folder.glob(f"events.out.tfevents.*{_MARK}*"):
            if int(path.name.rpartition(_MARK)[2]) >= epoch:
                path.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files of a folder in the order of their names.
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        with open(self.folder / f"{name}{_MARK}{epoch:03d}", "wb") as file:
            yield EventFile(file, epoch)


class EpochScalars(keras.callbacks.Callback):
    """Writes the logs of every epoch and the learning rate.

    Folders and tags are those of `keras.callbacks.TensorBoard`, which needs TensorFlow:
    `train/epoch_loss`, `train/epoch_learning_rate` and, for `val_miou`, `validation/epoch_miou`.

    Args:
        folder: Folder of the two folders.
    """

    def __init__(self, folder: pathlib.Path):
        super().__init__()
        self._train = EpochSummaries(folder / "train")
        self._validation = EpochSummaries(folder / "validation")

    def on_epoch_end(self, epoch, logs=None):
        logs = dict(logs or {})
        validation = {name: logs.pop(name) for name in list(logs) if name.startswith(_VALIDATION)}
        # An optimizer may be wrapped to scale the loss.
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        logs["learning_rate"] = ops.convert_to_numpy(optimizer.learning_rate)
        self._write(self._train, epoch, logs)
        if validation:
            self._write(self._validation, epoch, validation)

    def _write(self, summaries: EpochSummaries, epoch: int, logs: dict[str, Any]) -> None:
        with summaries.epoch(epoch) as events:
            for name, value in logs.items():
                events.scalar(f"epoch_{name.removeprefix(_VALIDATION)}", float(value))
