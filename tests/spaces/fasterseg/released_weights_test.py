"""Reader of files with weights of the released code."""

import sys
import types

import numpy as np
import pytest

from keras_fasterseg.spaces.fasterseg.released_weights import read_released_weights


def test_arrays_by_their_names(tmp_path):
    kernel = np.arange(6.0, dtype="float32").reshape(1, 2, 3, 1)
    np.savez(tmp_path / "plain.npz", **{"stem.0.conv.0.weight": kernel})
    state = read_released_weights(tmp_path / "plain.npz")
    assert list(state) == ["stem.0.conv.0.weight"]
    np.testing.assert_array_equal(state["stem.0.conv.0.weight"], kernel)


def test_scaled_integers_and_what_is_no_weight(tmp_path):
    arrays = {
        "q/conv.weight": np.array([-3, 0, 2], "int8"),
        "s/conv.weight": np.float32(0.5),
        "w/bn.bias": np.array([7.0], "float32"),
        "eval/pred8_pre": np.zeros(3),
    }
    np.savez(tmp_path / "fixture.npz", **arrays)
    state = read_released_weights(tmp_path / "fixture.npz")
    assert set(state) == {"conv.weight", "bn.bias"}
    np.testing.assert_array_equal(state["conv.weight"], np.array([-1.5, 0, 1], "float32"))
    assert state["conv.weight"].dtype == np.float32


def test_integers_without_their_scale(tmp_path):
    np.savez(tmp_path / "half.npz", **{"q/conv.weight": np.zeros(3, "int8")})
    with pytest.raises(ValueError, match=r"q/conv\.weight without their scale s/conv\.weight"):
        read_released_weights(tmp_path / "half.npz")


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "objects.npz", weight=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"objects\.npz cannot be read as arrays"):
        read_released_weights(tmp_path / "objects.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_files_that_are_no_arrays(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.npz cannot be read as arrays"):
        read_released_weights(path)


def test_a_single_array_is_no_state_dict(tmp_path):
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"single\.npz cannot be read as arrays"):
        read_released_weights(tmp_path / "single.npz")


def test_no_weights(tmp_path):
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(ValueError, match="contains no weights"):
        read_released_weights(tmp_path / "empty.npz")
    with pytest.raises(FileNotFoundError, match=r"weight file .* does not exist"):
        read_released_weights(tmp_path / "gone.npz")


def test_a_checkpoint_needs_pytorch(tmp_path, monkeypatch):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match=r"install it .* or save .* with numpy\.savez"):
        read_released_weights(path)


class Tensor:
    """As much of a PyTorch tensor as is read."""

    def __init__(self, value):
        self.value = value

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.value


def test_a_checkpoint_is_read_without_running_code(tmp_path, monkeypatch):
    path = tmp_path / "arch_1.pt"
    path.write_bytes(b"anything")
    calls = []

    def load(*arguments, **keywords):
        calls.append((arguments, keywords))
        return {"alpha_1_0": Tensor(np.ones(2)), "mIoU02": 0.5}

    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(load=load))
    state = read_released_weights(path)
    assert calls == [((path,), {"map_location": "cpu", "weights_only": True})]
    np.testing.assert_array_equal(state["alpha_1_0"], np.ones(2))
    np.testing.assert_array_equal(state["mIoU02"], 0.5)


@pytest.mark.parametrize(
    ("result", "message"),
    [([1], "contains a list"), (RuntimeError("torn"), "can read safely: torn")],
)
def test_checkpoints_of_something_else(tmp_path, monkeypatch, result, message):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"anything")

    def load(*arguments, **keywords):
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(load=load))
    with pytest.raises(ValueError, match=message):
        read_released_weights(path)
