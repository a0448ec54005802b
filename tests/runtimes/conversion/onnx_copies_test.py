"""Copies of a converted operation against the conversion of all of them."""

import collections

import numpy as np
import pytest

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from keras_fasterseg.runtimes.conversion.onnx_copies import onnx_copies
from keras_fasterseg.runtimes.onnxruntime_pool import session_options
from keras_fasterseg.runtimes.operation_graphs import copies_graph, empty_graph

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

OPERATIONS = ("skip", "conv", "conv_downup", "conv_2x_downup", "fusion", "head")
KEYS = [OpKey(operation, 16, 32, 8, 16, 1) for operation in OPERATIONS]
KEYS.append(OpKey("skip", 16, 32, 8, 16, 2))


def converted(graph):
    # A graph keeps its weights alive while it is converted.
    return onnx_model(graph.function)


def nodes(model):
    counts = collections.Counter(node.op_type for node in model.graph.node)
    # Names alone, which every runtime removes.
    del counts["Identity"]
    return counts


def run(model, inputs):
    options, _ = session_options(None)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(["sum"], inputs)[0]


@pytest.mark.parametrize("make", [copies_graph, empty_graph])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_copies_are_the_nodes_that_all_of_them_are_converted_to(key, make):
    copied = onnx_copies(converted(make(key, 1)), 3)
    onnx.checker.check_model(copied, full_check=True)
    unrolled = converted(make(key, 3))
    assert nodes(copied) == nodes(unrolled)
    assert [each.name for each in copied.graph.input] == [f"input_{i}" for i in range(3)]
    assert {each.name for each in unrolled.graph.input} == {"input_0", "input_1", "input_2"}
    assert [each.name for each in copied.graph.output] == ["sum"]


def test_every_copy_computes_the_operation_with_nearly_its_weights():
    single = converted(copies_graph(KEYS[3], 1))
    inputs = np.random.default_rng(0).standard_normal((3, 1, 16, 32, 8), np.float32)
    received = run(onnx_copies(single, 3), {f"input_{i}": each for i, each in enumerate(inputs)})
    expected = sum(run(single, {"input_0": each}) for each in inputs)
    # Kernels of the second and third copy are larger by a thousandth and two, three in a row.
    np.testing.assert_allclose(received, expected, atol=0.01 * np.abs(expected).max())
    assert np.abs(received - expected).max() > 0


def test_no_two_kernels_are_alike():
    copied = onnx_copies(converted(copies_graph(KEYS[3], 1)), 4)
    kernels = [each.raw_data for each in copied.graph.initializer if len(each.dims) == 4]
    assert len(kernels) == len(set(kernels)) == 4 * 3


def test_one_copy_is_the_graph_itself():
    model = converted(copies_graph(KEYS[0], 1))
    assert onnx_copies(model, 1) is model
