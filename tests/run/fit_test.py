import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.run.datasets import Batches
from keras_fasterseg.run.fit import fit

STEPS, EPOCHS = 3, 4


class Killed(BaseException):
    """Stands for a SIGKILL: nothing below catches it."""


class Memory(keras.callbacks.Callback):
    """Remembers the losses, and kills the training amid the epoch `kill` or when it ends."""

    def __init__(self, kill=None, stop=None, at_end=False):
        super().__init__()
        self.kill = kill
        self.at_end = at_end
        self.stop = stop
        self.losses = []

    def get_state(self):
        return {"losses": self.losses}

    def set_state(self, state):
        self.losses = list(state["losses"])

    def on_train_batch_end(self, batch, logs=None):
        if self.kill is None or self.at_end:
            return
        if self.model.optimizer.iterations == self.kill * STEPS + 2:
            raise Killed

    def on_epoch_end(self, epoch, logs=None):
        if self.at_end and epoch == self.kill:
            raise Killed
        self.losses.append(float(logs["loss"]))
        if epoch == self.stop:
            self.model.stop_training = True


def make_trainer():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, STEPS, 0.5, staircase=True)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def make_batches():
    def make(skip):
        draws = tf.data.Dataset.counter().map(
            lambda i: tf.random.stateless_uniform((2, 3), [0, tf.cast(i, tf.int32)])
        )
        return draws.skip(skip).map(lambda x: (x[:, :2], x[:, 2:]))

    return Batches(make, STEPS)


def rows(folder):
    with open(folder / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


def weights(trainer):
    return [np.array(each) for each in [*trainer.variables, *trainer.optimizer.variables]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    trainer, memory = make_trainer(), Memory()
    fit(trainer, make_batches(), EPOCHS, folder, [memory])
    return folder, trainer, memory


def test_logs_and_checkpoints_are_written(undisturbed):
    folder, _, memory = undisturbed
    assert [int(row["epoch"]) for row in rows(folder)] == list(range(EPOCHS))
    assert [float(row["loss"]) for row in rows(folder)] == memory.losses
    assert list((folder / "tensorboard").rglob("events.out.tfevents.*"))
    assert len(list((folder / "checkpoints").iterdir())) == 2


@pytest.mark.parametrize("kill", [0, 1, 3])
def test_a_killed_training_goes_on_bit_by_bit(tmp_path, undisturbed, kill):
    expected_folder, expected, expected_memory = undisturbed
    with pytest.raises(Killed):
        fit(make_trainer(), make_batches(), EPOCHS, tmp_path, [Memory(kill)])
    trainer, memory = make_trainer(), Memory()
    fit(trainer, make_batches(), EPOCHS, tmp_path, [memory])
    for found, value in zip(weights(trainer), weights(expected), strict=True):
        np.testing.assert_array_equal(found, value)
    assert memory.losses == expected_memory.losses
    assert rows(tmp_path) == rows(expected_folder)


@pytest.mark.parametrize(
    ("kill", "at_end", "left"), [(0, False, 2), (1, False, 2), (3, False, 2), (1, True, 1)]
)
def test_a_training_killed_amid_an_epoch_goes_on_from_its_last_step(
    tmp_path, undisturbed, monkeypatch, kill, at_end, left
):
    expected_folder, expected, expected_memory = undisturbed
    batches, calls = make_batches(), []
    with pytest.raises(Killed):
        fit(make_trainer(), batches, EPOCHS, tmp_path, [Memory(kill, at_end=at_end)], 0.0)
    trainer, memory = make_trainer(), Memory()
    plain_fit = trainer.fit

    def recorded_fit(*arguments, **keywords):
        calls.append((keywords["initial_epoch"], keywords["steps_per_epoch"]))
        return plain_fit(*arguments, **keywords)

    monkeypatch.setattr(trainer, "fit", recorded_fit)
    fit(trainer, batches, EPOCHS, tmp_path, [memory], 0.0)
    # One step of the epoch had its checkpoint when the kill came amid the second; the last step
    # of an epoch has none of its own.
    assert calls == [(kill, left), (kill + 1, STEPS)][: 1 if kill + 1 == EPOCHS else 2]
    for found, value in zip(weights(trainer), weights(expected), strict=True):
        np.testing.assert_array_equal(found, value)
    assert memory.losses == expected_memory.losses
    assert rows(tmp_path) == rows(expected_folder)


def test_a_corrupt_checkpoint_costs_an_epoch_and_no_bit(tmp_path, undisturbed):
    expected_folder, expected, _ = undisturbed
    with pytest.raises(Killed):
        fit(make_trainer(), make_batches(), EPOCHS, tmp_path, [Memory(3)])
    (tmp_path / "checkpoints" / "epoch_0003_step_000000" / "trainer.weights.h5").write_bytes(b"")
    trainer = make_trainer()
    fit(trainer, make_batches(), EPOCHS, tmp_path, [Memory()])
    for found, value in zip(weights(trainer), weights(expected), strict=True):
        np.testing.assert_array_equal(found, value)
    assert rows(tmp_path) == rows(expected_folder)


def test_a_finished_training_is_restored_and_not_gone_on_with(undisturbed):
    folder, expected, expected_memory = undisturbed
    trainer, memory = make_trainer(), Memory()
    fit(trainer, make_batches(), EPOCHS, folder, [memory])
    for found, value in zip(weights(trainer), weights(expected), strict=True):
        np.testing.assert_array_equal(found, value)
    assert memory.losses == expected_memory.losses


def test_a_training_that_stopped_early_stays_so(tmp_path):
    for _ in range(2):
        memory = Memory(stop=1)
        fit(make_trainer(), make_batches(), EPOCHS, tmp_path, [memory])
        assert len(memory.losses) == 2


def test_no_checkpoint_of_nan(tmp_path):
    trainer = make_trainer()
    trainer.layers[0].kernel.assign([[np.nan], [0.0]])
    with pytest.raises(FloatingPointError, match=r"epoch 1\. .* No checkpoint exists yet\."):
        fit(trainer, make_batches(), EPOCHS, tmp_path, minutes_between_checkpoints=0.0)
    assert not (tmp_path / "checkpoints").exists()


class _Seldom(keras.callbacks.Callback):
    """Has something to log in every second epoch."""

    log_names = ("val_miou",)

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 2:
            logs["val_miou"] = epoch / 10


def test_what_was_not_measured_has_an_empty_field(tmp_path, capsys):
    fit(make_trainer(), make_batches(), 3, tmp_path, [_Seldom()])
    fit(make_trainer(), make_batches(), EPOCHS, tmp_path, [_Seldom()])
    assert [row["val_miou"] for row in rows(tmp_path)] == ["", "0.1", "", "0.3"]
    lines = [line for line in capsys.readouterr().out.splitlines() if "loss" in line]
    assert [("val_miou" in line) for line in lines] == [False, True, False, True]
