import logging as python_logging
import math

import keras
import pytest
from absl import logging

from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.training_callbacks import LogRemaining, WatchLoss


@pytest.fixture
def watch(tmp_path):
    """In the third epoch of a training, and its checkpoint of the second."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(), "mse")
    checkpoints = Checkpoints(tmp_path / "student")
    checkpoints.save(model, 2, 0, {})
    callback = WatchLoss(checkpoints)
    callback.set_model(model)
    callback.on_epoch_begin(2)
    return callback


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training_and_names_the_last_checkpoint(watch, loss):
    expected = (
        f"The loss is {loss} in epoch 3. Lower the learning rate, and delete .*student or choose "
        r"another workdir. The last good one is .*epoch_0002_step_000000\."
    )
    for end in (watch.on_train_batch_end, watch.on_epoch_end):
        with pytest.raises(FloatingPointError, match=expected):
            end(2, {"loss": loss})


def test_weights_that_are_no_numbers_end_training(watch):
    watch.model.layers[0].kernel.assign([[math.nan], [0.0]])
    with pytest.raises(FloatingPointError, match="Weights are NaN or infinite in epoch 3"):
        watch.on_epoch_end(2, {"loss": 1.0})


@pytest.mark.parametrize(("logs", "count"), [({"loss": 400.0}, 0), ({"loss": 1e17}, 1), ({}, 0)])
def test_a_loss_that_explodes_is_warned_of(watch, logs, count, monkeypatch):
    lines = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    watch.on_epoch_end(2, logs)
    expected = "The loss is 1e+17 after epoch 3: training has diverged. Lower the learning rate."
    assert lines == [expected] * count


def test_the_rest_of_a_training_is_told_when_its_time_has_doubled(caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    now = 100.0
    callback = LogRemaining(steps=12, clock=lambda: now)
    with caplog.at_level(python_logging.INFO, "absl"):
        for step in range(12):
            callback.on_train_batch_end(step)
            now += 25.0
    # After 3 and after 6 steps of 25 s; the first, of 100 s, and the end are left out.
    assert caplog.messages == [
        "25 s per step; about 3.3 min of this training remain.",
        "25 s per step; about 2.1 min of this training remain.",
    ]
