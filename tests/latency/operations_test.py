"""Counts in closed form against what TensorFlow's graph of the operation really holds."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import build_operation, multiply_accumulates, parameters

KEYS = [
    OpKey(operation, 16, 32, 24, 40, stride)
    for operation in ("skip", "conv", "conv_downup", "conv_2x", "conv_2x_downup")
    for stride in (1, 2)
] + [
    OpKey("conv_bn_relu_1x1", 8, 16, 24, 16, 1),
    OpKey("conv_bn_relu_3x3", 16, 32, 3, 16, 2),
    OpKey("fusion", 8, 16, 32, 32, 1),
    OpKey("head", 8, 16, 32, 19, 1),
    OpKey("head", 8, 16, 264, 19, 1),
]


def convolutions(model):
    """Multiply-accumulates of the convolutions in the traced graph."""
    function = tf.function(lambda images: model(images, training=False))
    graph = function.get_concrete_function(tf.TensorSpec(model.inputs[0].shape)).graph
    return sum(
        int(np.prod(operation.inputs[1].shape[:3])) * operation.outputs[0].shape.num_elements()
        for operation in graph.get_operations()
        if operation.type == "Conv2D"
    )


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_counts_are_those_of_the_built_operation(key):
    model = build_operation(key)
    assert model.output_shape[-1] == key.out_filters
    assert multiply_accumulates(key) == convolutions(model)
    assert parameters(key) == sum(np.prod(weight.shape) for weight in model.trainable_weights)
