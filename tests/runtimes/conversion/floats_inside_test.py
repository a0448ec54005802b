import numpy as np
import pytest

from keras_fasterseg.runtimes.conversion.floats_inside import floats_inside
from keras_fasterseg.runtimes.onnxruntime_pool import session_options

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

UINT8, INT32, FLOAT = onnx.TensorProto.UINT8, onnx.TensorProto.INT32, onnx.TensorProto.FLOAT


def model_of(*nodes, kind):
    """`values` of `kind` -> `bytes` of uint8 by way of `nodes`."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "casts", [value("values", kind, [300])], [value("bytes", UINT8, [300])]
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)


def kinds(model):
    return [node.attribute[0].i for node in model.graph.node]


def cast(source, target, to):
    return onnx.helper.make_node("Cast", [source], [target], to=to)


@pytest.mark.parametrize("kind", [INT32, onnx.TensorProto.INT64])
def test_integers_become_bytes_by_way_of_floats(kind):
    model = model_of(cast("values", "bytes", UINT8), kind=kind)
    before = model.SerializeToString()
    changed = floats_inside(model)
    assert model.SerializeToString() == before
    assert kinds(changed) == [FLOAT, UINT8]
    onnx.checker.check_model(changed, full_check=True)
    values = np.resize(np.arange(256), 300).astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
    session = onnxruntime.InferenceSession(
        changed.SerializeToString(), session_options(None)[0], providers=["CPUExecutionProvider"]
    )
    (received,) = session.run(None, {"values": values})
    assert received.dtype == np.uint8
    np.testing.assert_array_equal(received, values)


def test_types_between_are_found():
    nodes = cast("values", "whole", INT32), cast("whole", "bytes", UINT8)
    assert kinds(floats_inside(model_of(*nodes, kind=FLOAT))) == [INT32, FLOAT, UINT8]


def test_bytes_are_cast_before_anything_else():
    transpose = onnx.helper.make_node("Transpose", ["values"], ["turned"], perm=[0])
    model = model_of(
        transpose, cast("turned", "wide", FLOAT), cast("wide", "bytes", UINT8), kind=UINT8
    )
    # As a converter may leave it, true of the old nodes only.
    model = onnx.shape_inference.infer_shapes(model)
    changed = floats_inside(model)
    assert [node.op_type for node in changed.graph.node] == ["Cast", "Transpose", "Cast", "Cast"]
    onnx.checker.check_model(changed, full_check=True)
    values = np.resize(np.arange(256, dtype=np.uint8), 300)
    session = onnxruntime.InferenceSession(
        changed.SerializeToString(), session_options(None)[0], providers=["CPUExecutionProvider"]
    )
    np.testing.assert_array_equal(session.run(None, {"values": values})[0], values)


@pytest.mark.parametrize("kind", [FLOAT, onnx.TensorProto.FLOAT16])
def test_floats_are_left_alone(kind):
    model = model_of(cast("values", "bytes", UINT8), kind=kind)
    assert floats_inside(model) == model
