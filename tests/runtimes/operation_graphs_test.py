import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from keras_fasterseg.runtimes.operation_graphs import copies_graph, empty_graph, serving_graph

CONV = OpKey("conv_2x", 16, 32, 8, 16, 2)
ZOOMED = OpKey("conv_downup", 16, 32, 8, 16, 1)
SKIP = OpKey("skip", 16, 32, 8, 16, 2)


def tail_sums(graph, results):
    """Outputs of the tails for `results`, computed with their own kernels."""
    kernels = [
        tf.constant(tf.make_ndarray(node.attr["value"].tensor))
        for node in graph.function.graph.as_graph_def().node
        if node.op == "Const"
        and "Const" in node.name
        and len(node.attr["value"].tensor.tensor_shape.dim) == 4
    ]
    return sum(
        tf.nn.conv2d(result, kernel, 8, "VALID").numpy()
        for result, kernel in zip(results, kernels, strict=True)
    )


@pytest.mark.parametrize("key", [CONV, ZOOMED, SKIP], ids=str)
def test_every_copy_has_its_input_and_weights(key):
    graph = copies_graph(key, 3)
    inputs = graph.random_inputs()
    assert [values.shape for values in inputs.values()] == [(1, 16, 32, 8)] * 3
    results = [
        model(values, training=False)
        for model, values in zip(graph.models, inputs.values(), strict=True)
    ]
    (output,) = graph.function(**{k: tf.constant(v) for k, v in inputs.items()}).values()
    # float32 sums in another order.
    np.testing.assert_allclose(output, tail_sums(graph, results), rtol=1e-4, atol=1e-4)
    assert np.ptp(np.stack([result.numpy() for result in results]), axis=0).max() > 0.1


def test_the_empty_graph_lacks_the_operations_alone():
    graph = empty_graph(CONV, 2)
    inputs = graph.random_inputs()
    assert list(inputs) == list(copies_graph(CONV, 2).random_inputs())
    (output,) = graph.function(**{k: tf.constant(v) for k, v in inputs.items()}).values()
    np.testing.assert_allclose(output, tail_sums(graph, inputs.values()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (CONV, {"Conv": 3, "Relu": 2}),
        (ZOOMED, {"Conv": 2, "Relu": 1, "Resize": 2}),
        (SKIP, {"Conv": 3, "Relu": 1, "Concat": 1}),
    ],
    ids=str,
)
def test_no_optimizer_merges_copies(key, expected):
    """Three copies have three times the nodes of one, in the graph that ONNX Runtime is given."""
    for copies in (1, 3):
        graph = copies_graph(key, copies)
        nodes = [node.op_type for node in onnx_model(graph.function).graph.node]
        counts = {name: nodes.count(name) for name in expected}
        assert counts == {name: copies * count for name, count in expected.items()}


def test_serving_goes_from_bytes_to_class_ids():
    graph = serving_graph(OpKey("serving", 32, 64, 3, 5, 1))
    (images,) = graph.random_inputs().values()
    assert (images.shape, images.dtype) == ((1, 32, 64, 3), np.uint8)
    (ids,) = graph.function(images=tf.constant(images)).values()
    assert (ids.shape, ids.dtype) == ((1, 32, 64), tf.uint8)
    assert 1 < len(np.unique(ids)) <= 5
