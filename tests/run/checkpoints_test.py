import keras
import numpy as np
import pytest

from keras_fasterseg.run.checkpoints import Checkpoints


def make_model(value: float) -> keras.Model:
    """One weight of that value, and an optimizer with a slot."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    for variable in [*model.trainable_variables, *model.optimizer.variables[2:]]:
        variable.assign(np.full(variable.shape, value))
    return model


def values(model):
    return [float(np.squeeze(variable)) for variable in model.optimizer.variables[2:]] + [
        float(np.squeeze(variable)) for variable in model.trainable_variables
    ]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def three(tmp_path):
    """Checkpoints after one, two and three epochs, of weights 1, 2 and 3."""
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3):
        checkpoints.save(
            make_model(epoch), epoch, 0, {"note": f"epoch {epoch}", "minutes": 2 * epoch}
        )
    return checkpoints


def test_nothing_to_continue(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore(make_model(0)) is None
    assert not checkpoints.exist()
    assert checkpoints.minutes() == 0


def test_the_newest_two_are_kept_and_the_last_is_restored(three):
    assert names(three.folder) == ["epoch_0002_step_000000", "epoch_0003_step_000000"]
    model = make_model(0)
    state = three.restore(model)
    assert (state["epochs"], state["note"]) == (3, "epoch 3")
    assert values(model) == [3, 3]
    assert three.minutes() == 6


@pytest.mark.parametrize("damage", ["truncated", "altered", "no weights", "no state", "no JSON"])
def test_a_corrupt_checkpoint_falls_back_to_the_one_before(three, caplog, damage):
    newest = three.folder / "epoch_0003_step_000000"
    weights, state = newest / "trainer.weights.h5", newest / "state.json"
    content = weights.read_bytes()
    if damage == "truncated":
        weights.write_bytes(content[: len(content) // 2])
    elif damage == "altered":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "no weights":
        weights.unlink()
    elif damage == "no state":
        state.unlink()
    else:
        state.write_text("{")
    model = make_model(0)
    with caplog.at_level("WARNING"):
        assert three.restore(model)["epochs"] == 2
    assert values(model) == [2, 2]
    (message,) = (record.getMessage() for record in caplog.records)
    assert "epoch_0003_step_000000 is corrupt" in message


def test_without_a_whole_one_training_begins_anew(three):
    for path in three.folder.iterdir():
        (path / "trainer.weights.h5").write_bytes(b"")
    model = make_model(0)
    assert three.restore(model) is None
    assert values(model) == [0, 0]


def test_a_failing_write_leaves_the_ones_before(three, monkeypatch):
    model = make_model(4)

    def fail(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model, "save_weights", fail)
    with pytest.raises(OSError, match="No space left"):
        three.save(model, 4, 0, {})
    assert names(three.folder) == ["epoch_0002_step_000000", "epoch_0003_step_000000"]


def test_what_a_killed_writer_left_is_no_checkpoint(three):
    partial = three.folder / ".epoch_0004.abc.partial"
    (partial / "epoch_0004").mkdir(parents=True)
    assert three.restore(make_model(0))["epochs"] == 3
    assert not partial.exists()


def test_an_epoch_that_is_run_again_replaces_its_checkpoint(three):
    three.save(make_model(7), 3, 0, {})
    model = make_model(0)
    three.restore(model)
    assert values(model) == [7, 7]


def test_steps_within_an_epoch_come_after_its_beginning(three):
    three.save(make_model(5), 3, 40, {})
    three.save(make_model(6), 3, 100, {})
    assert names(three.folder) == ["epoch_0003_step_000040", "epoch_0003_step_000100"]
    state = three.restore(make_model(0))
    assert (state["epochs"], state["steps"]) == (3, 100)
    three.save(make_model(8), 4, 0, {})
    assert names(three.folder) == ["epoch_0003_step_000100", "epoch_0004_step_000000"]


def test_all_are_removed_at_the_end(three):
    three.remove()
    assert not three.folder.exists()
