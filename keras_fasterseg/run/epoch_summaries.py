"""TensorBoard summaries without duplicates when an epoch is repeated."""

import contextlib
import pathlib
from collections.abc import Iterator

import tensorflow as tf

_MARK = ".epoch_"


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
    def epoch(self, epoch: int) -> Iterator[None]:
        """Context in which `tf.summary` writes at step `epoch`."""
        for path in self.folder.glob(f"events.out.tfevents.*{_MARK}*"):
            if int(path.name.rpartition(_MARK)[2]) >= epoch:
                path.unlink()
        writer = tf.summary.create_file_writer(
            str(self.folder), filename_suffix=f"{_MARK}{epoch:03d}"
        )
        with writer.as_default(step=epoch):
            yield
        writer.close()
