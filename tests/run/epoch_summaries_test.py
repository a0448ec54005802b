"""Tests of the event files after repeated epochs."""

import tensorflow as tf

from keras_fasterseg.run.epoch_summaries import EpochSummaries
from tests.run.event_files import scalars


def write(summaries, epoch, value):
    with summaries.epoch(epoch):
        tf.summary.scalar("loss", value)


def test_every_epoch_is_there_once(tmp_path):
    before = EpochSummaries(tmp_path)
    for epoch in range(4):
        write(before, epoch, epoch)
    # Killed in epoch 3; the checkpoint of epoch 2 was corrupt.
    again = EpochSummaries(tmp_path)
    write(again, 2, 20)
    assert scalars(tmp_path) == {("loss", 0): 0.0, ("loss", 1): 1.0, ("loss", 2): 20.0}
    write(again, 3, 30)
    assert scalars(tmp_path)["loss", 3] == 30.0


def test_other_files_are_left_alone(tmp_path):
    other = tmp_path / "events.out.tfevents.1.host.2.v2"
    other.write_bytes(b"")
    write(EpochSummaries(tmp_path), 0, 1.0)
    assert other.is_file()
