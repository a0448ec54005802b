import hashlib
import json

import numpy as np
import pytest

from keras_fasterseg.export.graph_file import CalibrationImages, export_graph_file
from keras_fasterseg.runtimes.registry import RUNTIMES
from tests.stand_in import (
    MEAN,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
    segmentation_network,
)

_RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "litert"}
_FILES = {
    "onnx": {"model.onnx"},
    "openvino": {"model.xml", "model.bin"},
    "litert": {"model.tflite"},
}


@pytest.fixture(scope="module")
def model():
    return segmentation_network()


def export(model, path, **arguments):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("openvino")
    defaults = {
        "format": "onnx",
        "input_size": (32, 64),
        "num_classes": 5,
        "mean": MEAN,
        "std": STD,
    }
    return export_graph_file(model, path, **{**defaults, **arguments})


@pytest.mark.parametrize("format", _FILES)
def test_a_folder_holds_the_graph_and_what_it_is(model, tmp_path, format):
    path = export(
        model,
        tmp_path / "student",
        format=format,
        batch_size=2,
        outputs="both",
        class_names=tuple("abcde"),
        metadata={"genotype": "abc"},
    )
    assert {file.name for file in path.iterdir()} == {*_FILES[format], "manifest.json"}
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["format"] == format
    assert manifest["input_size"] == [32, 64]
    assert manifest["batch_size"] == 2
    assert manifest["outputs"] == ["class_ids", "logits"]
    assert manifest["class_names"] == list("abcde")
    assert manifest["precision"] == "float32"
    assert manifest["mean"] == list(MEAN)
    assert manifest["genotype"] == "abc"
    assert manifest["versions"]["keras"]
    assert manifest["files"] == {
        name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in _FILES[format]
    }


@pytest.mark.parametrize("format", _FILES)
@pytest.mark.parametrize("output", ["class_ids", "logits"])
def test_a_single_output_equals_keras(model, tmp_path, format, output):
    path = export(model, tmp_path / "1", format=format, input_size=(40, 64), outputs=output)
    pytest.importorskip("onnxruntime")
    runner = RUNTIMES[_RUNTIMES[format]].load(path, None)
    assert runner.outputs == (output,)
    images = random_images(1, 40, 64)
    expected = expected_logits(model, images)
    if output == "class_ids":
        assert_same_classes(runner(images), expected)
    else:
        # Sums of float32 products in another order; the logits are below 10.
        np.testing.assert_allclose(runner.logits(images), expected, atol=1e-5)


def test_onnx_transposes_bytes_and_not_floats(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(export(model, tmp_path / "1") / "model.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds[:5] == ["Transpose", "Cast", "Sub", "Mul", "Conv"]
    assert graph.node[0].input[0] == "images"
    assert kinds[-2:] == ["ArgMax", "Cast"]
    assert kinds.count("Transpose") == 1
    shapes = {tensor.name: [*tensor.dims] for tensor in graph.initializer}
    assert shapes[graph.node[2].input[1]] == shapes[graph.node[3].input[1]] == [3, 1, 1]


def test_onnx_has_one_argmax_and_nothing_around_sizes_that_fit(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(export(model, tmp_path / "1", outputs="both") / "model.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("ArgMax") == 1
    assert {"Pad", "Slice", "Shape", "Gather"}.isdisjoint(kinds)
    inputs = {
        each.name: [side.dim_value for side in each.type.tensor_type.shape.dim]
        for each in graph.input
    }
    assert inputs == {"images": [1, 32, 64, 3]}


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_sizes_can_be_free(model, tmp_path, format):
    path = export(model, tmp_path / "1", format=format, input_size=None, outputs="both")
    assert json.loads((path / "manifest.json").read_text())["input_size"] is None
    pytest.importorskip("onnxruntime")
    runner = RUNTIMES[_RUNTIMES[format]].load(path, None)
    assert runner.input_size is None
    # 480 / 32 = 15 halves to 7 and comes back; the others are padded.
    for size in ((64, 480), (70, 90), (33, 64)):
        images = random_images(1, *size)
        expected = expected_logits(model, images)
        np.testing.assert_allclose(runner.logits(images), expected, atol=1e-5)
        assert_same_classes(runner(images), expected)


@pytest.mark.parametrize("format", _FILES)
def test_half_precision(model, tmp_path, format):
    sizes = {}
    for precision in ("fp32", "fp16"):
        path = export(
            model, tmp_path / precision, format=format, outputs="both", precision=precision
        )
        sizes[precision] = sum(file.stat().st_size for file in path.iterdir())
    assert sizes["fp16"] < sizes["fp32"]
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["precision"] == "float16"
    pytest.importorskip("onnxruntime")
    runner = RUNTIMES[_RUNTIMES[format]].load(path, None)
    assert runner.describe()["precision"] == "float16"
    images = random_images(1, 32, 64)
    expected = expected_logits(model, images)
    # Eight times the rounding of a float16, for a few layers.
    noise = 8 * 2.0**-11 * np.abs(expected).max()
    np.testing.assert_allclose(runner.logits(images), expected, atol=noise)
    assert_same_classes(runner(images), expected, noise=noise)


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_int8_runs_and_says_how_it_was_made(model, tmp_path, format):
    pytest.importorskip("onnxruntime")
    calibration = CalibrationImages([random_images(1, 32, 64)] * 4, "minmax", progress=False)
    path = export(model, tmp_path / "1", format=format, precision="int8", calibration=calibration)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["precision"] == "int8"
    assert manifest["quantization"]["images"] == 3
    assert manifest["quantization"]["method"] == "minmax"
    runner = RUNTIMES[_RUNTIMES[format]].load(path, None)
    images = random_images(1, 32, 64)
    expected = expected_logits(model, images)
    second, best = np.moveaxis(np.sort(expected, axis=-1)[..., -2:], -1, 0)
    # 13 of 256 steps: each of a few layers rounds by one, at its input and in its weights. Random
    # weights leave many pixels where the two best logits are nearer than that.
    clear = best - second > 0.05 * np.abs(expected).max()
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(runner(images)[clear], expected.argmax(axis=-1)[clear])


def test_only_an_export_of_ours_is_replaced(model, tmp_path):
    path = export(model, tmp_path / "1")
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        export(model, path)
    export(model, path, overwrite=True, format="litert")
    assert {file.name for file in path.iterdir()} == {"model.tflite", "manifest.json"}
    (path / "manifest.json").unlink()
    with pytest.raises(FileExistsError, match="not a SavedModel or another export"):
        export(model, path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "litert", "input_size": None}, "LiteRT needs to know the size"),
        ({"format": "litert", "precision": "int8"}, "can be had in fp32, fp16"),
        ({"precision": "int8"}, "calibrated on real images, and there are none"),
        ({"format": "coreml"}, "onnx, openvino, litert. Received: format='coreml'"),
        ({"input_size": (31, 64)}, r"at least 32. Received: input_size=\(31, 64\)"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"outputs": "features"}, "class_ids, logits, both. Received: outputs='features'"),
        ({"class_names": ("a",)}, "1 names for num_classes=5"),
        ({"metadata": {"input_size": 1}}, r"\['input_size'\]"),
        ({"num_classes": 4}, "num_classes=4"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_written(model, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "1", **arguments)
    assert list(tmp_path.iterdir()) == []
