"""Engines as exports, by a stand-in for TensorRT's builder that reads real ONNX."""

import sys

import numpy as np
import pytest

from keras_fasterseg.export.engine_file import export_engine
from keras_fasterseg.export.options import CalibrationImages
from keras_fasterseg.files import read_json, sha256
from keras_fasterseg.runtimes.artefact_format import find_artefact
from tests.runtimes import exports
from tests.stand_in import MEAN, NUM_CLASSES, STD, random_images

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")

from tests.export.fake_tensorrt_builder import FakeTensorRtBuilder  # noqa: E402

SIZE = (32, 64)


@pytest.fixture
def install(monkeypatch):
    def put(*args, **kwargs):
        fake = FakeTensorRtBuilder(*args, **kwargs)
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
        return fake

    return put


def export(path, **arguments):
    defaults = {
        "format": "tensorrt",
        "input_size": SIZE,
        "num_classes": NUM_CLASSES,
        "mean": MEAN,
        "std": STD,
        "metadata": {"genotype": "abc"},
    }
    return export_engine(exports.network(), path, **{**defaults, **arguments})


@pytest.mark.parametrize(
    ("format", "file", "version", "rtx"),
    [
        ("tensorrt", "model.plan", "10.9.0", False),
        ("tensorrt", "model.plan", "11.2.0", False),
        ("tensorrt_rtx", "model.rtx", "1.7.1", True),
    ],
)
def test_a_folder_holds_the_engine_and_what_it_is(install, tmp_path, format, file, version, rtx):
    fake = install(version, rtx=rtx)
    path = export(tmp_path / "1", format=format, precision="fp16", outputs="both")
    assert {each.name for each in path.iterdir()} == {file, "manifest.json"}
    manifest = read_json(path / "manifest.json")
    assert (manifest["format"], manifest["precision"]) == (format, "float16")
    assert manifest["engine"]["version"] == version
    assert manifest["files"] == {file: sha256(path / file)}
    assert manifest["bytes"] == (path / file).stat().st_size
    assert (manifest["input_size"], manifest["outputs"]) == ([*SIZE], ["class_ids", "logits"])
    assert manifest["genotype"] == "abc"
    assert find_artefact(path).metadata == manifest
    # Weak types: a flag chooses; strong ones: the network itself is in float16.
    (model,) = fake.models
    in_half = any(each.data_type == onnx.TensorProto.FLOAT16 for each in model.graph.initializer)
    assert in_half == (version != "10.9.0")


def test_int8_is_quantised_around_zero_whatever_was_asked(install, tmp_path):
    pytest.importorskip("onnxruntime")
    fake = install("11.2.0")
    images = [random_images(1, *SIZE, seed=seed) for seed in range(4)]
    calibration = CalibrationImages(images, "minmax", progress=False, symmetric=False)
    path = export(tmp_path / "1", precision="int8", calibration=calibration)
    manifest = read_json(path / "manifest.json")
    assert manifest["precision"] == "int8"
    assert manifest["quantization"]["symmetric"] is True
    (model,) = fake.models
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    points = [weights[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"]
    assert points
    assert all(point.dtype == np.int8 and not point.any() for point in points)


def test_what_fails_leaves_what_was_there(install, tmp_path):
    install()
    export(tmp_path / "1")
    before = (tmp_path / "1" / "model.plan").read_bytes()
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        export(tmp_path / "1")
    install(faults=("build",))
    for name in ("1", "2"):
        with pytest.raises(ValueError, match="cannot build an engine"):
            export(tmp_path / name, overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["1"]
    assert (tmp_path / "1" / "model.plan").read_bytes() == before


def test_one_size_is_needed(install, tmp_path):
    install()
    with pytest.raises(ValueError, match="An engine is built for one image size"):
        export(tmp_path / "1", input_size=None)
    assert list(tmp_path.iterdir()) == []
