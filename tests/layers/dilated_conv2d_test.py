import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from keras.src.testing import TestCase

from keras_fasterseg.layers.dilated_conv2d import DilatedConv2D, dilated_convolution
from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from tests.layers.closed_forms import convolve

# Kernel size and dilation: plain, factorised, wider than the 6x9 map, both directions.
CASES = [
    ((3, 3), (1, 1)),
    ((3, 1), (2, 1)),
    ((1, 3), (1, 4)),
    ((3, 1), (16, 1)),
    ((1, 3), (1, 16)),
    ((3, 3), (2, 3)),
]


def random_array(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize(("kernel_size", "dilation"), CASES)
def test_equals_the_formula(kernel_size, dilation):
    layer, images = DilatedConv2D(5, kernel_size, dilation), random_array(2, 6, 9, 4)
    layer.build(images.shape)
    layer.bias.assign(random_array(5))
    expected = convolve(images, layer.kernel.numpy(), dilation=dilation) + layer.bias.numpy()
    # Sums of at most 36 products of normal numbers in float32.
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)
    image = keras.Input((None, None, 4))
    model = keras.Model(image, layer(image))
    assert model.output_shape == (None, None, None, 5)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize(("kernel_size", "dilation"), CASES)
def test_gradients_are_those_of_keras_own_convolution(kernel_size, dilation):
    images, kernel = (
        tf.constant(random_array(2, 6, 9, 4)),
        tf.constant(random_array(*kernel_size, 4, 5)),
    )
    cotangent = random_array(2, 6, 9, 5)
    results = []
    for convolution in (
        lambda x, k: dilated_convolution(x, k, dilation),
        lambda x, k: ops.conv(x, k, padding="same", dilation_rate=dilation),
    ):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            total = tf.reduce_sum(convolution(images, kernel) * cotangent)
        results.append(tape.gradient(total, [images, kernel]))
    for ours, theirs in zip(*results, strict=True):
        # Sums of at most 108 products of normal numbers in float32.
        np.testing.assert_allclose(ours, theirs, atol=5e-5)


def test_is_one_operation_in_graphs_and_exports():
    layer = DilatedConv2D(5, (3, 1), (4, 1), use_bias=False)
    layer.build((None, None, None, 4))
    traced = tf.function(lambda images: {"outputs": layer(images)})
    function = traced.get_concrete_function(tf.TensorSpec((1, 16, 16, 4)))
    operations = [operation.type for operation in function.graph.get_operations()]
    assert operations.count("Conv2D") == 1
    assert "SpaceToBatchND" not in operations
    pytest.importorskip("tf2onnx")
    nodes = onnx_model(function).graph.node
    (convolution,) = (node for node in nodes if node.op_type == "Conv")
    (dilations,) = (each for each in convolution.attribute if each.name == "dilations")
    assert list(dilations.ints) == [4, 1]
    assert {node.op_type for node in nodes} <= {"Conv", "Transpose", "Identity"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": "valid"}, "Received: .*'padding': 'valid'"),
        ({"strides": 2}, r"Received: .*'strides': \(2, 2\)"),
        ({"groups": 2}, "Received: .*'groups': 2"),
        ({"data_format": "channels_first"}, "Received: .*'data_format': 'channels_first'"),
    ],
)
def test_refuses_other_convolutions(arguments, message):
    with pytest.raises(ValueError, match=message):
        DilatedConv2D(4, 3, **arguments)


def test_training_needs_no_onednn():
    """Without it, TensorFlow on a CPU cannot differentiate a dilated convolution."""
    code = (
        "import tensorflow as tf\n"
        "from keras_fasterseg.layers.dilated_conv2d import dilated_convolution\n"
        "kernel = tf.ones((3, 1, 2, 2))\n"
        "with tf.GradientTape() as tape:\n"
        "    tape.watch(kernel)\n"
        "    loss = tf.reduce_sum(dilated_convolution(tf.ones((1, 6, 6, 2)), kernel, (2, 1)))\n"
        "gradient = tape.gradient(loss, kernel)\n"
        "assert gradient.numpy()[:, 0, 0, 0].tolist() == [24, 36, 24], gradient\n"
    )
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            DilatedConv2D,
            init_kwargs={"filters": 5, "kernel_size": (3, 1), "dilation_rate": (2, 1)},
            input_shape=(2, 6, 9, 4),
            expected_output_shape=(2, 6, 9, 5),
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=0,
        )
