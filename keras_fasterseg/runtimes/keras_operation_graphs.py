"""Single operations as Keras layers in memory, for timing; a backend switch.

JAX compiles all copies into one program, PyTorch runs them one by one.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import build_operation
from keras_fasterseg.runtimes.operation_parts import (
    TAIL_STRIDE,
    random_values,
    serving,
    tail_kernels,
)


@dataclasses.dataclass(frozen=True)
class KerasOperationGraph:
    """A function to be timed.

    Attributes:
        function: A function of tensors.
        variables: The variables that it reads.
        shapes: Shapes of its arguments.
        are_bytes: Whether the arguments are uint8, otherwise float32.
    """

    function: Callable[..., Any]
    variables: Sequence[keras.Variable]
    shapes: Sequence[tuple[int, ...]]
    are_bytes: bool = False

    def random_inputs(self) -> dict[str, np.ndarray]:
        """Inputs by name, from a fixed seed."""
        generator = np.random.default_rng(0)
        return {
            f"input_{index}": random_values(shape, self.are_bytes, generator)
            for index, shape in enumerate(self.shapes)
        }


def copies_graph(key: OpKey, copies: int) -> KerasOperationGraph:
    """Same as `operation_graphs.copies_graph`: copies of an operation, one after another."""
    models = [build_operation(key) for _ in range(copies)]
    variables = [variable for model in models for variable in model.variables]
    return _graph(key, models, key.out_filters, variables)


def empty_graph(key: OpKey, copies: int) -> KerasOperationGraph:
    """Same as `copies_graph`, but reads the inputs directly, without the operation."""
    return _graph(key, [lambda images: images] * copies, key.in_filters, [])


def serving_graph(key: OpKey) -> KerasOperationGraph:
    """A function from uint8 images to class ids with a minimal network, see `serving`."""
    graph = serving(key)
    shape = (1, key.height, key.width, 3)
    return KerasOperationGraph(graph.class_ids, graph.model.variables, [shape], are_bytes=True)


def _graph(
    key: OpKey, operations: Sequence[Any], filters: int, variables: Sequence[keras.Variable]
) -> KerasOperationGraph:
    kernels = [*map(ops.convert_to_tensor, tail_kernels(filters, len(operations)))]

    def run(*inputs: Any) -> Any:
        total: Any = 0.0
        for each, operation, kernel in zip(inputs, operations, kernels, strict=True):
            if keras.backend.backend() == "jax":
                # Without this, XLA may run independent operations in parallel. It keeps products
                # with zero, because they are not zero for infinite numbers.
                each = each + 0.0 * ops.sum(total)
            total = total + ops.conv(operation(each), kernel, TAIL_STRIDE)
        return total

    shapes = [(1, key.height, key.width, key.in_filters)] * len(operations)
    return KerasOperationGraph(run, variables, shapes)
