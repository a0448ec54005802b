"""Graphs of single operations for timing."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import build_operation
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.runtimes.serving_graph import ServingGraph

# A convolution of stride 8 reads a sixteenth of its input, in the runtime's own layout, so nothing
# is converted back to the layout of the outputs. Its kernel is 2x2: OpenVINO moves the stride of a
# 1x1 convolution into the preceding operation, which would then compute next to nothing.
_TAIL_KERNEL = 2
_TAIL_STRIDE = 8
_TAIL_FILTERS = 16

# Random numbers repeat after this many: drawing millions would take longer than the measurement.
_BLOCK = 2**16


@dataclasses.dataclass(frozen=True)
class OperationGraph:
    """A graph to be timed.

    Attributes:
        function: A concrete function of static shapes.
        models: Owners of the weights, which a concrete function does not keep alive.
        copies: Number of copies of `function` to run one after another; only runtimes that read
            ONNX can make them, see `onnx_copies`.
    """

    function: Any
    models: tuple[Any, ...]
    copies: int = 1

    def random_inputs(self) -> dict[str, np.ndarray]:
        """Inputs by name, from a fixed seed."""
        generator = np.random.default_rng(0)
        specifications = self.function.structured_input_signature[0]
        inputs = {}
        for index in range(self.copies):
            for each in specifications:
                name = f"{each.name.removesuffix('_0')}_{index}" if self.copies > 1 else each.name
                if each.dtype == tf.uint8:
                    values = generator.integers(0, 256, _BLOCK, np.uint8)
                else:
                    values = generator.standard_normal(_BLOCK, dtype=np.float32)
                inputs[name] = np.resize(values, tuple(each.shape))
        return inputs


def copies_graph(key: OpKey, copies: int) -> OperationGraph:
    """A graph that runs an operation several times, one after another.

    Every copy has its own weights and input, so that no optimizer can merge two of them. A
    sixteenth of each result is read; the single output is the small sum of these parts.

    Args:
        key: The operation.
        copies: Number of copies.

    Returns:
        A graph of `copies` float32 inputs `(1, height, width, in_filters)`.
    """
    return _graph(key, [build_operation(key) for _ in range(copies)], key.out_filters)


def empty_graph(key: OpKey, copies: int) -> OperationGraph:
    """Same as `copies_graph`, but reads the inputs directly, without the operation."""
    return _graph(key, [tf.identity] * copies, key.in_filters)


def serving_graph(key: OpKey) -> OperationGraph:
    """A graph from uint8 images to class ids with a minimal network.

    In place of the network, it has a 1×1 convolution of stride 8 and the upsampling by 8 that ends
    every network of the space.
    """
    images = keras.Input((key.height, key.width, 3), batch_size=1)
    logits = keras.layers.Conv2D(key.out_filters, 1, strides=8)(images)
    logits = _Enlarged((key.height, key.width))(logits)
    graph = ServingGraph(keras.Model(images, logits), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    specification = tf.TensorSpec((1, key.height, key.width, 3), tf.uint8, name="images")

    def serve(images):
        return {"class_ids": graph.class_ids(images)}

    function = tf.function(serve, autograph=False).get_concrete_function(specification)
    return OperationGraph(function, (graph.model,))


def _graph(key: OpKey, operations: list[Any], filters: int) -> OperationGraph:
    generator = np.random.default_rng(0)
    shape = (_TAIL_KERNEL, _TAIL_KERNEL, filters, _TAIL_FILTERS)
    kernels = [generator.standard_normal(shape).astype("float32") for _ in operations]

    def run(*inputs):
        tails = []
        for each, operation, kernel in zip(inputs, operations, kernels, strict=True):
            # Without this, TensorFlow would run independent operations in parallel.
            with tf.control_dependencies(tails[-1:]):
                result = operation(tf.identity(each))
                tails.append(tf.nn.conv2d(result, tf.constant(kernel), _TAIL_STRIDE, "VALID"))
        return {"sum": tf.add_n(tails)}

    size = (1, key.height, key.width, key.in_filters)
    specifications = [
        tf.TensorSpec(size, tf.float32, name=f"input_{index}") for index in range(len(operations))
    ]
    function = tf.function(run, autograph=False).get_concrete_function(*specifications)
    return OperationGraph(function, tuple(operations))


class _Enlarged(keras.layers.Layer):
    """Resizes bilinearly to a fixed size."""

    def __init__(self, size: tuple[int, int]):
        super().__init__()
        self.size = size

    def call(self, images):
        return resize_bilinear(images, self.size)
