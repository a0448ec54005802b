"""Summaries for TensorBoard that an epoch which is run again does not write twice."""

import contextlib
import pathlib
from collections.abc import Iterator

import tensorflow as tf

_MARK = ".epoch_"


class EpochSummaries:
    """One folder of event files, a file an epoch.

    A search or training that was killed runs its last epoch anew; what it had already written of
    that epoch, and of later ones, is then removed first.

    Args:
        folder: Folder of the event files; TensorBoard names the run after it.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    @contextlib.contextmanager
    def epoch(self, epoch: int) -> Iterator[None]:
        """Within it, `tf.summary` writes at the step `epoch`."""
        for path in self.folder.glob(f"events.out.tfevents.*{_MARK}*"):
            if int(path.name.rpartition(_MARK)[2]) >= epoch:
                path.unlink()
        writer = tf.summary.create_file_writer(
            str(self.folder), filename_suffix=f"{_MARK}{epoch:03d}"
        )
        with writer.as_default(step=epoch):
            yield
        writer.close()
