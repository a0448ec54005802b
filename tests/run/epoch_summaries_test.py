"""Tests of the event files: read by TensorBoard, and without duplicates after repeated epochs."""

import io

import keras
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util.tensor_util import make_ndarray

from keras_fasterseg.run.epoch_summaries import EpochScalars, EpochSummaries
from tests.run.event_files import scalars


def write(summaries, epoch, value):
    with summaries.epoch(epoch) as events:
        events.scalar("loss", value)


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


def test_tensorboard_reads_scalars_and_images(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    summaries = EpochSummaries(tmp_path)
    for epoch in range(2):
        with summaries.epoch(epoch) as events:
            events.scalar("a/loss", np.float32(epoch + 0.25))
            events.image("b/picture", pixels)
    shown = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert shown.PluginTagToContent("scalars").keys() == {"a/loss"}
    assert shown.PluginTagToContent("images").keys() == {"b/picture"}
    losses = [(event.step, make_ndarray(event.tensor_proto)) for event in shown.Tensors("a/loss")]
    assert losses == [(0, 0.25), (1, 1.25)]
    (_, event) = shown.Tensors("b/picture")
    width, height, png = make_ndarray(event.tensor_proto)
    assert (width, height) == (b"30", b"20")
    np.testing.assert_array_equal(Image.open(io.BytesIO(png)), pixels)


def make_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    rate = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


LOGS = [{"loss": 1.5, "val_miou": 0.25}, {"loss": np.float32(1.25), "weight": 0.06}]


def record(callback, epochs=(0, 1)):
    callback.set_model(make_model())
    callback.on_train_begin()
    for epoch in epochs:
        callback.on_epoch_end(epoch, dict(LOGS[epoch]))
    callback.on_train_end()


def test_logs_of_epochs_have_tags_of_keras(tmp_path):
    record(EpochScalars(tmp_path))
    assert scalars(tmp_path / "train") == {
        ("epoch_loss", 0): 1.5,
        ("epoch_learning_rate", 0): 0.5,
        ("epoch_loss", 1): 1.25,
        ("epoch_weight", 1): pytest.approx(0.06),
        ("epoch_learning_rate", 1): 0.5,
    }
    assert scalars(tmp_path / "validation") == {("epoch_miou", 0): 0.25}


def test_a_repeated_epoch_replaces_its_logs(tmp_path):
    record(EpochScalars(tmp_path))
    record(EpochScalars(tmp_path), epochs=(1,))
    assert {step for _, step in scalars(tmp_path / "train")} == {0, 1}
