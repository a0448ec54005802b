"""Graphs of single operations, made to be timed."""

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

# A convolution of stride 8 reads a sixteenth of what it is given, in whatever layout the runtime
# keeps it: nothing has to be brought back into the layout of the outputs. Its kernel is 2x2, since
# OpenVINO moves the stride of a 1x1 convolution up into the operation before, which would then
# compute next to nothing.
_TAIL_KERNEL = 2
_TAIL_STRIDE = 8
_TAIL_FILTERS = 16

# Random numbers repeat after so many: to draw millions takes longer than to measure with them.
_BLOCK = 2**16


@dataclasses.dataclass(frozen=True)
class OperationGraph:
    """A graph to be timed.

    Attributes:
        function: A concrete function of static shapes.
        models: The owners of its weights, which a concrete function does not keep alive.
        copies: How many copies of `function` run one after another; only runtimes that read ONNX
            can make them, see `onnx_copies`.
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

    Every copy has weights and an input of its own, so that no optimizer can merge any two. Of each
    result a sixteenth is read; the one output is the small sum of that.

    Args:
        key: The operation.
        copies: How many.

    Returns:
        A graph of `copies` float32 inputs `(1, height, width, in_filters)`.
    """
    return _graph(key, [build_operation(key) for _ in range(copies)], key.out_filters)


def empty_graph(key: OpKey, copies: int) -> OperationGraph:
    """As `copies_graph`, but the inputs themselves are read in place of results."""
    return _graph(key, [tf.identity] * copies, key.in_filters)


def serving_graph(key: OpKey) -> OperationGraph:
    """A graph from uint8 images to class ids with next to no network within.

    In place of the network there is a 1×1 convolution of stride 8 and the enlargement by 8 that
    every network of the space ends with.
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
            # TensorFlow would otherwise run independent operations at the same time.
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
    """Bilinear to a fixed size."""

    def __init__(self, size: tuple[int, int]):
        super().__init__()
        self.size = size

    def call(self, images):
        return resize_bilinear(images, self.size)
