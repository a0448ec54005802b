import hashlib
import json

import numpy as np
import pytest

from keras_fasterseg.export.graph_file import export_graph_file
from keras_fasterseg.export.options import CalibrationImages
from keras_fasterseg.runtimes.onnxruntime_pool import session_options
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
    assert ("opset" in manifest) == (format == "onnx")
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


@pytest.mark.parametrize("size", [(64, 96), (70, 90), None])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_free_batch_keeps_images_apart(model, tmp_path, format, precision, size):
    path = export(
        model,
        tmp_path / "1",
        format=format,
        precision=precision,
        input_size=size,
        batch_size=None,
        outputs="both",
    )
    assert json.loads((path / "manifest.json").read_text())["batch_size"] is None
    pytest.importorskip("onnxruntime")
    runner = RUNTIMES[_RUNTIMES[format]].load(path, None)
    assert (runner.batch_size, runner.input_size) == (None, size)
    for count in (1, 2, 5, 3):
        images = random_images(count, *(size or (70, 90)), seed=count)
        # One image beside the others and alone.
        expected = np.concatenate([expected_logits(model, image[None]) for image in images])
        noise = {"fp32": 1e-5, "fp16": 8 * 2.0**-11 * np.abs(expected).max()}[precision]
        np.testing.assert_allclose(runner.logits(images), expected, atol=noise)
        assert_same_classes(runner(images), expected, noise=max(noise, 1e-4))


def sizes_by_name(path):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(path / "model.onnx").graph
    return {
        each.name: [side.dim_value or side.dim_param for side in each.type.tensor_type.shape.dim]
        for each in (*graph.input, *graph.output)
    }


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_free_sizes_have_the_same_names_in_input_and_outputs(model, tmp_path, precision):
    options = {"precision": precision, "outputs": "both"}
    path = export(model, tmp_path / "1", input_size=None, batch_size=None, **options)
    assert sizes_by_name(path) == {
        "images": ["batch", "height", "width", 3],
        "class_ids": ["batch", "height", "width"],
        "logits": ["batch", "height", "width", 5],
    }
    path = export(model, tmp_path / "2", input_size=None, batch_size=2, **options)
    assert sizes_by_name(path)["class_ids"] == [2, "height", "width"]
    path = export(model, tmp_path / "3", input_size=(70, 90), batch_size=None, **options)
    assert sizes_by_name(path)["logits"] == ["batch", 70, 90, 5]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_onnx_file_says_itself_what_it_is(model, tmp_path, precision):
    onnx = pytest.importorskip("onnx")
    colors = [[index, 2, 255] for index in range(5)]
    path = export(
        model,
        tmp_path / "1",
        precision=precision,
        batch_size=None if precision == "int8" else 1,
        calibration=CalibrationImages([random_images(1, 32, 64)] * 2, "minmax", progress=False)
        if precision == "int8"
        else None,
        class_names=("road", "\u9053", "c", "d", "e"),
        palette=np.array(colors, np.uint8),
        metadata={"genotype": {"id": "abc"}},
    )
    model = onnx.load(path / "model.onnx")
    own = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert own["input"] == {
        "name": "images",
        "dtype": "uint8",
        "channels": "RGB",
        "layout": "NHWC",
        "range": [0, 255],
    }
    assert own["class_names"][:2] == ["road", "\u9053"]
    assert own["colors"] == colors
    assert (own["mean"], own["std"]) == (list(MEAN), list(STD))
    assert own["genotype"] == {"id": "abc"}
    # All that the manifest says but what it says of the file.
    manifest = json.loads((path / "manifest.json").read_text())
    assert own == {key: manifest[key] for key in manifest if key not in ("files", "bytes")}
    assert "RGB" in model.graph.input[0].doc_string
    onnx.checker.check_model(model)


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_file_for_every_size_pads_small_images_as_any_other(model, tmp_path, format):
    path = export(model, tmp_path / "1", format=format, input_size=None, outputs="logits")
    for size in ((16, 20), (1, 1), (7, 40)):
        images = random_images(1, *size)
        if format == "onnx":
            onnxruntime = pytest.importorskip("onnxruntime")
            session = onnxruntime.InferenceSession(path / "model.onnx", session_options(None)[0])
            (logits,) = session.run(["logits"], {"images": images})
        else:
            openvino = pytest.importorskip("openvino")
            options = {"INFERENCE_PRECISION_HINT": "f32"}
            compiled = openvino.Core().compile_model(path / "model.xml", "CPU", options)
            logits = compiled({"images": images})["logits"]
        np.testing.assert_allclose(logits, expected_logits(model, images), atol=1e-5)
        with pytest.raises(ValueError, match="at least 32"):
            RUNTIMES[_RUNTIMES[format]].load(path, None).logits(images)


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


@pytest.mark.parametrize(("format", "images_used"), [("onnx", 3), ("openvino", 3), ("litert", 4)])
def test_int8_runs_and_says_how_it_was_made(model, tmp_path, format, images_used):
    pytest.importorskip("onnxruntime")
    calibration = CalibrationImages([random_images(1, 32, 64)] * 4, "minmax", progress=False)
    path = export(model, tmp_path / "1", format=format, precision="int8", calibration=calibration)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["precision"] == "int8"
    assert manifest["quantization"]["images"] == images_used
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
    with pytest.raises(FileExistsError, match="neither a SavedModel nor another export"):
        export(model, path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "litert", "input_size": None}, "LiteRT needs a fixed image size"),
        ({"format": "litert", "precision": "fp8"}, "format litert supports fp32, fp16, int8"),
        (
            {"format": "litert", "precision": "int8"},
            "calibrated on real images, but none were given",
        ),
        (
            {
                "format": "litert",
                "precision": "int8",
                "outputs": "both",
                "calibration": CalibrationImages([random_images(1, 32, 64)]),
            },
            "uses integers only, but logits are floats; .* Received: output=both",
        ),
        ({"precision": "int8"}, "calibrated on real images, but none were given"),
        ({"format": "coreml"}, "onnx, openvino, litert. Received: format='coreml'"),
        ({"input_size": (31, 64)}, r"at least 32. Received: input_size=\(31, 64\)"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"format": "litert", "batch_size": None}, "LiteRT needs a fixed number of images"),
        ({"palette": [(1, 2, 3)]}, r"shape \(1, 3\) for num_classes=5"),
        ({"palette": [(1, 2, 256)] * 5}, "three numbers from 0 to 255"),
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
