import pytest

from keras_fasterseg.export.tensorrt_source import tensorrt_source
from keras_fasterseg.runtimes.conversion.half_precision import computes_in_half, half_precision
from tests.runtimes import exports

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")


@pytest.fixture
def onnx_file(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes((exports.export("onnx") / "model.onnx").read_bytes())
    return file


@pytest.mark.parametrize("strongly_typed", [False, True])
def test_a_model_in_float16_is_taken_as_it_is_for_fp16_only(onnx_file, strongly_typed):
    half = half_precision(onnx.load(onnx_file))
    onnx_file.write_bytes(half.SerializeToString())
    source = tensorrt_source(onnx_file, "fp16", strongly_typed=strongly_typed)
    assert computes_in_half(source)
    assert list(source.graph.initializer) == list(half.graph.initializer)
    with pytest.raises(ValueError, match="is in float16; build an engine with precision fp16"):
        tensorrt_source(onnx_file, "fp32", strongly_typed=strongly_typed)


def test_only_a_network_that_decides_itself_is_converted(onnx_file):
    assert computes_in_half(tensorrt_source(onnx_file, "fp16", strongly_typed=True))
    assert not computes_in_half(tensorrt_source(onnx_file, "fp16", strongly_typed=False))


@pytest.mark.parametrize("content", [b"", b"\x08\x07", b"not an ONNX model", "cut"])
def test_what_is_no_model_is_refused(onnx_file, content):
    onnx_file.write_bytes(onnx_file.read_bytes()[:2000] if content == "cut" else content)
    with pytest.raises(ValueError, match=r"model\.onnx is not an ONNX model or is damaged"):
        tensorrt_source(onnx_file, "fp32", strongly_typed=True)
    with pytest.raises(FileNotFoundError, match=r"The ONNX file .*gone does not exist"):
        tensorrt_source(onnx_file.parent / "gone", "fp32", strongly_typed=True)


@pytest.mark.parametrize("name", ["height", ""])
def test_free_sizes_are_refused(onnx_file, name):
    model = onnx.load(onnx_file)
    side = model.graph.input[0].type.tensor_type.shape.dim[1]
    side.Clear()
    if name:
        side.dim_param = name
    onnx_file.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"has free sizes in images, .*with --input_size"):
        tensorrt_source(onnx_file, "fp32", strongly_typed=True)
