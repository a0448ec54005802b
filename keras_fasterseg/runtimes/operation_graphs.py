"""Traced TensorFlow graphs of single operations, for timing."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import build_operation
from keras_fasterseg.runtimes.operation_parts import (
    TAIL_STRIDE,
    random_values,
    serving,
    tail_kernels,
)


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
                inputs[name] = random_values(tuple(each.shape), each.dtype == tf.uint8, generator)
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
    """A graph from uint8 images to class ids with a minimal network, see `serving`."""
    graph = serving(key)
    specification = tf.TensorSpec((1, key.height, key.width, 3), tf.uint8, name="images")

    def serve(images):
        return {"class_ids": graph.class_ids(images)}

    function = tf.function(serve, autograph=False).get_concrete_function(specification)
    return OperationGraph(function, (graph.model,))


def _graph(key: OpKey, operations: list[Any], filters: int) -> OperationGraph:
    kernels = tail_kernels(filters, len(operations))

    def run(*inputs):
        tails = []
        for each, operation, kernel in zip(inputs, operations, kernels, strict=True):
            # Without this, TensorFlow would run independent operations in parallel.
            with tf.control_dependencies(tails[-1:]):
                result = operation(tf.identity(each))
                tails.append(tf.nn.conv2d(result, tf.constant(kernel), TAIL_STRIDE, "VALID"))
        return {"sum": tf.add_n(tails)}

    size = (1, key.height, key.width, key.in_filters)
    specifications = [
        tf.TensorSpec(size, tf.float32, name=f"input_{index}") for index in range(len(operations))
    ]
    function = tf.function(run, autograph=False).get_concrete_function(*specifications)
    return OperationGraph(function, tuple(operations))
