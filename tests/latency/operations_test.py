"""Counts in closed form against what TensorFlow's graph of the operation really holds."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import (
    build_operation,
    multiply_accumulates,
    normalized_filters,
    output_elements,
    parameters,
)

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
    """Weights of an output value, and values put out, of the convolutions in the traced graph."""
    function = tf.function(lambda images: model(images, training=False))
    graph = function.get_concrete_function(tf.TensorSpec(model.inputs[0].shape)).graph
    return [
        (int(np.prod(operation.inputs[1].shape[:3])), operation.outputs[0].shape.num_elements())
        for operation in graph.get_operations()
        if operation.type == "Conv2D"
    ]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_counts_are_those_of_the_built_operation(key):
    model = build_operation(key)
    assert model.output_shape[-1] == key.out_filters
    found = convolutions(model)
    assert multiply_accumulates(key) == sum(weights * values for weights, values in found)
    assert output_elements(key) == sum(values for _, values in found)
    assert parameters(key) == sum(np.prod(weight.shape) for weight in model.trainable_weights)
    # A mean and a variance a filter.
    moving = sum(np.prod(weight.shape) for weight in model.non_trainable_weights)
    assert 2 * normalized_filters(key) == moving
