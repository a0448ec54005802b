import pathlib

import numpy as np
import pytest

from keras_fasterseg.export.tensorrt_source import tensorrt_source
from keras_fasterseg.runtimes.onnx_file import check_self_contained
from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner
from keras_fasterseg.runtimes.openvino_runner import OpenVinoRunner
from tests.runtimes import exports

onnx = pytest.importorskip("onnx")


@pytest.fixture
def outside(tmp_path) -> pathlib.Path:
    """A real export whose large weights lie in a file of their own."""
    path = tmp_path / "model.onnx"
    model = onnx.load(exports.export("onnx") / "model.onnx")
    onnx.save_model(
        model, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    return path


def open_with_tensorrt(path):
    tensorrt_source(path, "fp32", strongly_typed=True)


def open_with_onnxruntime(path):
    OnnxRuntimeRunner(path).load()


def open_with_openvino(path):
    OpenVinoRunner(path).load()


@pytest.mark.parametrize(
    "open_model", [open_with_onnxruntime, open_with_openvino, open_with_tensorrt]
)
def test_weights_in_another_file_are_refused(outside, open_model):
    # They are there, so that the runtimes themselves would have read them.
    assert (outside.parent / "weights.bin").is_file()
    with pytest.raises(ValueError, match=r"model\.onnx stores the tensor .* in another file, we"):
        open_model(outside)


def test_constants_and_the_branches_of_conditions_count(tmp_path):
    def model(tensor):
        then = onnx.helper.make_node("Constant", [], ["chosen"], value=tensor)
        output = onnx.helper.make_tensor_value_info("chosen", onnx.TensorProto.FLOAT, [2])
        branch = onnx.helper.make_graph([then], "branch", [], [output])
        node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
        graph = onnx.helper.make_graph([node], "graph", [], [])
        path = tmp_path / "model.onnx"
        path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
        return path

    tensor = onnx.numpy_helper.from_array(np.zeros(2, np.float32), "inner")
    check_self_contained(model(tensor))
    onnx.external_data_helper.set_external_data(tensor, "../elsewhere.bin")
    with pytest.raises(ValueError, match=r"the tensor inner in another file, \.\./elsewhere\.bin"):
        check_self_contained(model(tensor))


def test_an_export_is_self_contained():
    check_self_contained(exports.export("onnx") / "model.onnx")
