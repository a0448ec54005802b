import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import build_operation
from keras_fasterseg.runtimes import keras_operation_graphs
from keras_fasterseg.runtimes.keras_operation_graphs import copies_graph, empty_graph, serving_graph
from keras_fasterseg.runtimes.operation_parts import tail_kernels

CONV = OpKey("conv_2x", 16, 32, 8, 16, 2)


def tails(results, filters):
    """Sum of the convolutions of kernel 2x2 and stride 8, by their definition."""
    total = 0.0
    for result, kernel in zip(results, tail_kernels(filters, len(results)), strict=True):
        rows, columns = (1 + (side - 2) // 8 for side in result.shape[1:3])
        windows = [
            [result[:, 8 * i : 8 * i + 2, 8 * j : 8 * j + 2] for j in range(columns)]
            for i in range(rows)
        ]
        total = total + np.einsum("ijnhwc,hwcf->nijf", np.array(windows), kernel)
    return total


def test_copies_have_their_own_inputs_and_weights(monkeypatch):
    models = []
    build = lambda key: models.append(build_operation(key)) or models[-1]  # noqa: E731
    monkeypatch.setattr(keras_operation_graphs, "build_operation", build)
    graph = copies_graph(CONV, 3)
    inputs = [*graph.random_inputs().values()]
    assert [values.shape for values in inputs] == [(1, 16, 32, 8)] * 3
    assert len(graph.variables) == 3 * len(models[0].variables)
    results = [
        ops.convert_to_numpy(model(values, training=False))
        for model, values in zip(models, inputs, strict=True)
    ]
    found = ops.convert_to_numpy(graph.function(*map(ops.convert_to_tensor, inputs)))
    # float32 sums in another order.
    np.testing.assert_allclose(found, tails(results, 16), rtol=1e-4, atol=1e-4)


def test_the_empty_graph_lacks_the_operations_alone():
    graph = empty_graph(CONV, 2)
    inputs = [*graph.random_inputs().values()]
    found = ops.convert_to_numpy(graph.function(*map(ops.convert_to_tensor, inputs)))
    np.testing.assert_allclose(found, tails(inputs, 8), rtol=1e-4, atol=1e-4)


def test_serving_goes_from_bytes_to_class_ids():
    graph = serving_graph(OpKey("serving", 32, 64, 3, 5, 1))
    (images,) = graph.random_inputs().values()
    ids = ops.convert_to_numpy(graph.function(ops.convert_to_tensor(images)))
    assert (ids.shape, ids.dtype) == ((1, 32, 64), np.uint8)
    assert 1 < len(np.unique(ids)) <= 5
