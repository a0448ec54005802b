"""The config of real ONNX files, compared with them as Triton does before it loads one."""

import re

import pytest

from keras_fasterseg.runtimes.onnxruntime_pool import session_options
from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner
from keras_fasterseg.serving.model_repository import RepositoryOptions, add_to_repository
from keras_fasterseg.serving.tensorflow_serving_repository import BatchingParameters
from keras_fasterseg.serving.triton_repository import triton_config
from tests.runtimes import exports

onnxruntime = pytest.importorskip("onnxruntime")

SHAPES = {"images": [1, None, None, 3], "class_ids": [1, None, None], "logits": [1, None, None, 5]}


def check_as_triton_does(config: str, path) -> None:
    """Raises AssertionError where Triton's backend for ONNX would refuse to load the model.

    Recalled from `CompareDimsSupported` and its callers in the sources of
    triton-inference-server/onnxruntime_backend: names, types and dims of the configuration are
    compared with those that ONNX Runtime tells of the model, a free size being -1 on both sides.
    With `max_batch_size` above 0 the model's first size must be -1, and -1 is put before the dims.
    Numbers of sizes must agree; a fixed size of an input and every size of an output must be equal.
    """
    options, _ = session_options(None)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    maximum = int(re.search(r"^max_batch_size: (\d+)$", config, re.MULTILINE)[1])
    types = {"TYPE_UINT8": "tensor(uint8)", "TYPE_FP32": "tensor(float)"}
    for kind, tensors in (("input", session.get_inputs()), ("output", session.get_outputs())):
        pattern = rf'^{kind} \[ {{ name: "(\w+)" data_type: (\w+) dims: \[(.*)\] }} \]$'
        entries = {entry[0]: entry[1:] for entry in re.findall(pattern, config, re.MULTILINE)}
        assert set(entries) == {tensor.name for tensor in tensors}
        for tensor in tensors:
            data_type, text = entries[tensor.name]
            assert types[data_type] == tensor.type
            model = [side if isinstance(side, int) else -1 for side in tensor.shape]
            dims = [-1] * (maximum > 0) + [int(side) for side in text.split(", ")]
            assert maximum == 0 or model[0] == -1, "the model does not support batching"
            assert len(model) == len(dims)
            for own, configured in zip(model, dims, strict=True):
                assert own == configured or (kind == "input" and own == -1), (tensor.name, dims)


@pytest.mark.parametrize("outputs", ["class_ids", "both"])
@pytest.mark.parametrize("batch_size", [1, 2, None])
@pytest.mark.parametrize("size", [exports.SIZE, exports.ODD_SIZE, None])
def test_triton_would_load_it(tmp_path, size, batch_size, outputs):
    export = exports.export("onnx", outputs, size, batch_size)
    version = add_to_repository(export, tmp_path, "student")
    config = (tmp_path / "student" / "config.pbtxt").read_text()
    check_as_triton_does(config, version / "model.onnx")


@pytest.mark.parametrize(
    "wrong",
    [
        # As it was of graphs whose outputs had sizes without a common name.
        {**SHAPES, "class_ids": [None] * 3},
        # As if Triton could put images together.
        {name: [None, *shape[1:]] for name, shape in SHAPES.items()},
        {**SHAPES, "logits": [1, None, None, 6]},
    ],
    ids=["free output", "batched", "classes"],
)
def test_the_comparison_finds_what_triton_finds(wrong):
    path = exports.export("onnx", "both", None, 1) / "model.onnx"
    check_as_triton_does(triton_config(SHAPES, "student", BatchingParameters()), path)
    with pytest.raises(AssertionError):
        check_as_triton_does(triton_config(wrong, "student", BatchingParameters()), path)


def test_the_shapes_are_those_of_the_graph():
    assert OnnxRuntimeRunner(exports.export("onnx", "both", None, 1)).shapes == SHAPES


def config_lines(shapes, batching):
    return triton_config(shapes, "student", batching).splitlines()


def test_a_free_batch_is_made_up_by_triton():
    shapes = {"images": [None, 96, 160, 3], "class_ids": [None, 96, 160]}
    lines = config_lines(shapes, BatchingParameters(4, 1.5))
    assert "max_batch_size: 4" in lines
    assert 'input [ { name: "images" data_type: TYPE_UINT8 dims: [96, 160, 3] } ]' in lines
    assert 'output [ { name: "class_ids" data_type: TYPE_UINT8 dims: [96, 160] } ]' in lines
    assert "dynamic_batching { max_queue_delay_microseconds: 1500 }" in lines
    assert any("batch_size: 1 " in line for line in lines)
    assert "max_batch_size: 8" in config_lines(shapes, BatchingParameters())


def test_free_sizes_are_open_and_warmed_up_at_one():
    lines = config_lines(SHAPES, BatchingParameters())
    assert "max_batch_size: 0" in lines
    assert 'input [ { name: "images" data_type: TYPE_UINT8 dims: [1, -1, -1, 3] } ]' in lines
    assert 'output [ { name: "logits" data_type: TYPE_FP32 dims: [1, -1, -1, 5] } ]' in lines
    assert any("dims: [1, 256, 256, 3] zero_data" in line for line in lines)
    assert not any("dynamic_batching" in line for line in lines)


@pytest.mark.parametrize(
    ("batch_size", "options", "message"),
    [
        (
            2,
            RepositoryOptions(BatchingParameters(max_batch_size=16)),
            "exactly 2 images per call.*omit --max_batch_size, or export .* --batch_size=0",
        ),
        (
            1,
            RepositoryOptions(BatchingParameters(max_batch_size=8, timeout_ms=2)),
            "omit --max_batch_size and --batch_timeout_ms",
        ),
        (
            None,
            RepositoryOptions(BatchingParameters(threads=2)),
            "--batch_threads is a setting of TensorFlow Serving",
        ),
        (None, RepositoryOptions(mount="/models"), "omit --mount"),
    ],
)
def test_what_triton_has_not_is_refused(tmp_path, batch_size, options, message):
    export = exports.export("onnx", "class_ids", batch_size=batch_size)
    with pytest.raises(ValueError, match=message):
        add_to_repository(export, tmp_path, "student", options=options)
    assert list(tmp_path.iterdir()) == []
