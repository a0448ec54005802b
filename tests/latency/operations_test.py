"""Counts in closed form against what TensorFlow's graph of the operation really holds."""

import random
import resource
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import (
    Operation,
    Work,
    build_operation,
    count,
    operation_of,
    register_operations,
    rows_of,
    total_work,
    work,
)
from keras_fasterseg.layers.cell_operations import SeparableCellConvolution
from tests.latency.interpolated_operation import conv
from tests.shared import ROOT

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
    assert work(key) == Work(
        macs=sum(weights * values for weights, values in found),
        elements=sum(values for _, values in found),
        operations=1,
        trainable=sum(np.prod(weight.shape) for weight in model.trainable_weights),
        statistics=sum(np.prod(weight.shape) for weight in model.non_trainable_weights),
    )


def test_the_work_of_an_operation_by_hand():
    # 3x3 from 2 to 5 filters at 4x6 pixels; scale and offset, mean and variance.
    expected = Work(9 * 2 * 5 * 24, 5 * 24, 1, 9 * 2 * 5 + 2 * 5, 2 * 5)
    assert work(OpKey("conv", 4, 6, 2, 5, 1)) == expected
    assert total_work([]) == Work()
    assert total_work([OpKey("conv", 4, 6, 2, 5, 1)] * 2) == expected + expected
    assert work(OpKey("serving", 64, 64, 3, 19, 1)) == Work(operations=1)


def test_a_count_draws_no_random_numbers():
    state = random.getstate()
    work(OpKey("conv_2x", 6, 10, 3, 7, 1))
    assert random.getstate() == state


def test_a_count_allocates_nothing_and_leaves_nothing_to_be_allocated():
    """8192 filters hold 4.8 GB of kernels; a layer made later is the only one that gets values."""
    found = work(OpKey("conv_2x", 4, 4, 8192, 8192, 1))
    assert found.trainable == 2 * (9 * 8192**2 + 2 * 8192)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layer = keras.layers.Dense(2)
    layer(keras.KerasTensor((1, 3)))
    assert [weight.shape for weight in layer.weights] == [(3, 2), (2,)]
    # Kilobytes on Linux.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000


def test_a_count_does_not_start_tensorflow():
    """In a process of its own: once TensorFlow runs, its threads can no longer be chosen."""
    program = (
        "from keras_fasterseg.latency.op_key import OpKey\n"
        "from keras_fasterseg.latency.operations import work\n"
        "from keras_fasterseg.runtimes import tensorflow_device\n"
        "assert work(OpKey('conv_bn_relu_3x3', 8, 8, 8, 8, 1)).macs == 9 * 8 * 8 * 64\n"
        "tensorflow_device.request_threads(1)\n"
        "assert tensorflow_device.intra_op_threads() == 1\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_other_convolutions_by_hand():
    """Depthwise, grouped and dilated ones: kernels of rank 4, applied once a pixel."""
    size, pixels = (1, 8, 12, 6), 8 * 12

    def depthwise():
        return keras.layers.DepthwiseConv2D(5, padding="same", use_bias=False)

    assert count(depthwise, size) == Work(25 * 6 * pixels, 6 * pixels, 1, 25 * 6, 0)

    def separable():
        return SeparableCellConvolution(4, repeats=2)

    found = count(separable, size)
    assert found.macs == (9 * 6 + 6 * 4 + 9 * 4 + 4 * 4) * pixels
    assert found.elements == (6 + 4 + 4 + 4) * pixels

    def grouped():
        return keras.layers.Conv2D(4, 3, padding="same", groups=2, dilation_rate=2)

    assert count(grouped, size) == Work(9 * 3 * 4 * pixels, 4 * pixels, 1, 9 * 3 * 4 + 4, 0)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (OpKey("pool", 8, 8, 4, 4, 1), "has the operation of pool:8x8:4->4/1; known op"),
        (OpKey("head", 8, 8, 4, 4, 2), r"`head` needs stride 1 .* Received: head:8x8:4->4/2"),
        (OpKey("conv", 8, 8, 4, 4, 1, (("kernel", 5),)), r"the attributes \(\)\. Received: conv:"),
    ],
)
def test_keys_that_no_operation_explains_are_refused_by_name(key, message):
    for function in (operation_of, work, build_operation):
        with pytest.raises(ValueError, match=message):
            function(key)


def test_a_name_belongs_to_one_operation():
    known = operation_of(OpKey("conv", 8, 8, 4, 4, 1))
    register_operations({"conv": known})
    with pytest.raises(ValueError, match="Another operation is already named 'conv'"):
        register_operations({"conv": Operation(lambda key: keras.layers.Identity())})


def test_rows_that_give_the_latency_of_a_key():
    assert rows_of(conv(16, 20)) == {conv(16, 16): 0.75, conv(16, 32): 0.25}
    unsupported = OpKey("interpolated_conv", 8, 8, 16, 20, 2)
    others = [OpKey("head", 8, 8, 20, 19, 1), OpKey("unknown", 8, 8, 20, 20, 1), unsupported]
    for key in [conv(16, 16), *others]:
        assert rows_of(key) == {key: 1.0}
