import numpy as np
import pytest

from keras_fasterseg.runtimes.file_runner import FileRunner


class _Constant(FileRunner):
    """Answers class 0; its interface is an argument."""

    runtime = "constant"
    formats = ("onnx",)
    inputs = {"images": ((None, 32, 64, 3), True)}  # noqa: RUF012 (a stand-in)
    names = ("class_ids",)

    def load(self):
        self._set_interface(self.inputs, self.names)

    def synchronize(self):
        pass

    def _infer(self, images, output):
        return images.shape[:3]

    def _fetch(self, handle):
        return np.zeros(handle, np.uint8)

    def _version(self):
        return "constant 1"

    def _used_threads(self):
        return self._threads or 7

    def _device(self):
        return "CPU"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"graph")
    return tmp_path / "model.onnx"


def test_what_the_graph_leaves_free_is_free(file):
    runner = _Constant(file)
    assert runner.batch_size is None
    assert runner.input_size == (32, 64)
    assert runner(np.zeros((5, 32, 64, 3), np.uint8)).shape == (5, 32, 64)
    with pytest.raises(ValueError, match=r"anyx32x64. Received: 1x64x64"):
        runner(np.zeros((1, 64, 64, 3), np.uint8))


def test_without_a_manifest_little_is_known(file):
    facts = _Constant(file, threads=2).describe()
    assert facts["precision"] == "unknown"
    assert facts["threads"] == 2
    assert "genotype" not in facts
    assert _Constant(file).metadata == {}


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ({"features": ((1, 32, 64, 3), True)}, ("class_ids",)),
        ({"images": ((1, 3), True)}, ("class_ids",)),
        ({"images": ((1, 32, 64, 3), False)}, ("class_ids",)),
        ({"images": ((1, 32, 64, 3), True)}, ("scores",)),
        ({}, ()),
    ],
)
def test_a_foreign_interface_is_refused(file, inputs, names):
    runner = _Constant(file)
    runner.inputs, runner.names = inputs, names
    with pytest.raises(ValueError, match="not exported by keras_fasterseg"):
        runner.describe()
