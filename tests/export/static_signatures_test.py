import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.export.static_signatures import static_signatures
from tests.runtimes import exports
from tests.stand_in import assert_same_classes, expected_logits, random_images

# What the graph for all sizes computes sizes with.
ARITHMETIC = {"Shape", "Pack", "Neg", "FloorMod", "FloorDiv", "Maximum", "GreaterEqual"}


@pytest.fixture(scope="module")
def loaded():
    return tf.saved_model.load(str(exports.export("saved_model")))


def operators(function):
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize(("size", "batch_size"), [((96, 160), 1), ((70, 90), 2), ((32, 33), 1)])
def test_equals_keras_and_has_no_arithmetic_on_shapes(loaded, size, batch_size, tmp_path):
    signatures = static_signatures(loaded, size, batch_size)
    assert set(signatures) == {"serving_default", "logits"}
    images = random_images(batch_size, *size)
    expected = expected_logits(exports.network(), images)
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), signatures)
    for each in (signatures, tf.saved_model.load(str(tmp_path / "1")).signatures):
        logits = each["logits"](images=tf.constant(images))["logits"]
        np.testing.assert_allclose(logits, expected, atol=exports.ATOL)
        class_ids = each["serving_default"](images=tf.constant(images))["class_ids"]
        assert class_ids.dtype == tf.uint8
        assert_same_classes(class_ids.numpy(), expected)
        for function in each.values():
            assert function.inputs[0].shape == (batch_size, *size, 3)
            assert not operators(function) & ARITHMETIC
    original = operators(loaded.signatures["logits"])
    assert {"Shape", "FloorMod"} <= original


def test_all_shapes_are_known(loaded):
    for function in static_signatures(loaded, (70, 90), 1).values():
        for operation in function.graph.get_operations():
            assert all(output.shape.is_fully_defined() for output in operation.outputs)


@pytest.mark.parametrize(
    ("size", "batch_size", "message"),
    [((31, 64), 1, r"at least 32. Received: input_size=\(31, 64\)"), ((64, 64), 0, "batch_size=0")],
)
def test_sizes_out_of_range_are_refused(loaded, size, batch_size, message):
    with pytest.raises(ValueError, match=message):
        static_signatures(loaded, size, batch_size)
