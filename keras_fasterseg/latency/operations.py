"""Registry of operations behind `OpKey`s: their layers, and their work counted from the layers."""

import contextlib
import functools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import keras
from keras.src.backend.common import global_state

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head

SERVING = "serving"
"""Everything around a network, from uint8 images to class ids: one runtime call, normalisation,
upsampling by 8 and argmax. It has no layer."""


@dataclass(frozen=True)
class Operation:
    """Registered operation, identified by the name in its keys.

    Attributes:
        make_layer: Makes the layer for a key; `None` for `SERVING`.
        strides: Supported strides.
        attributes: Names of the attributes in its keys, in alphabetical order.
        neighbours: Returns the keys whose rows, times their weights, give the latency of a key
            (see `rows_of`); for a key on the measured grid, the key itself with weight 1. `None`:
            every key is measured. See `interpolation.grid_neighbours`.
    """

    make_layer: Callable[[OpKey], keras.layers.Layer] | None
    strides: tuple[int, ...] = (1, 2)
    attributes: tuple[str, ...] = ()
    neighbours: Callable[[OpKey], Mapping[OpKey, float]] | None = None

    def supports(self, key: OpKey) -> bool:
        """Returns whether `key` has a supported stride and the attributes of this operation."""
        names = tuple(name for name, _ in key.attributes)
        return key.stride in self.strides and names == self.attributes


@dataclass(frozen=True)
class Work:
    """Work of one pass of one image, and the weights involved.

    Attributes:
        macs: Multiply-accumulates of the convolutions.
        elements: Output values of the convolutions.
        operations: Number of operations.
        trainable: Number of trainable weights: kernels, scales, offsets, biases.
        statistics: Number of moving means and variances.
    """

    macs: int = 0
    elements: int = 0
    operations: int = 0
    trainable: int = 0
    statistics: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(*map(sum, zip(astuple(self), astuple(other), strict=True)))


_OPERATIONS: dict[str, Operation] = {
    "conv_bn_relu_1x1": Operation(lambda key: ConvBatchNorm(key.out_filters, 1, key.stride)),
    "conv_bn_relu_3x3": Operation(lambda key: ConvBatchNorm(key.out_filters, 3, key.stride)),
    "fusion": Operation(lambda key: ConvBatchNorm(key.out_filters, 1), strides=(1,)),
    "head": Operation(lambda key: Head(key.out_filters), strides=(1,)),
    SERVING: Operation(None, strides=(1,)),
}


def register_operations(operations: Mapping[str, Operation]) -> None:
    """Registers the operations of a search space by name.

    Raises:
        ValueError: Another operation already has one of these names.
    """
    for name, operation in operations.items():
        if _OPERATIONS.setdefault(name, operation) != operation:
            raise ValueError(f"Another operation is already named {name!r}; choose another name.")


def operation_of(key: OpKey) -> Operation:
    """Returns the registered operation of `key`.

    Raises:
        ValueError: No operation has that name, or it does not support the key's stride or
            attributes.
    """
    operation = _OPERATIONS.get(key.operation)
    if operation is None:
        raise ValueError(
            f"No registered search space has the operation of {key}; known operations: "
            f"{', '.join(sorted(_OPERATIONS))}."
        )
    if not operation.supports(key):
        raise ValueError(
            f"`{key.operation}` needs stride {' or '.join(map(str, operation.strides))} and "
            f"the attributes {operation.attributes}. Received: {key}"
        )
    return operation


def rows_of(key: OpKey) -> Mapping[OpKey, float]:
    """Returns the rows that give the latency of `key`, with their weights, which sum to 1.

    It is `key` itself with weight 1 if the row is measured, not interpolated, or if no registered
    operation matches `key`.
    """
    operation = _OPERATIONS.get(key.operation)
    if operation is None or operation.neighbours is None or not operation.supports(key):
        return {key: 1.0}
    return operation.neighbours(key)


def build_operation(key: OpKey) -> keras.Model:
    """Builds the operation as a model with batch size 1 and static image size.

    Raises:
        ValueError: No registered operation matches `key`, or it is `SERVING`.
    """
    make_layer = operation_of(key).make_layer
    if make_layer is None:
        raise ValueError(f"{key} has no layer and cannot be built as a model.")
    images = keras.Input((key.height, key.width, key.in_filters), batch_size=1, name="images")
    return keras.Model(images, make_layer(key)(images))


@functools.lru_cache(maxsize=4096)
def work(key: OpKey) -> Work:
    """Work of an operation, counted from its layer. `SERVING` only counts as one operation.

    Raises:
        ValueError: No registered operation matches `key`.
    """
    make_layer = operation_of(key).make_layer
    if make_layer is None:
        return Work(operations=1)
    return count(lambda: make_layer(key), (1, key.height, key.width, key.in_filters))


def total_work(keys: Iterable[OpKey]) -> Work:
    """Sum of the work of all `keys`."""
    return sum(map(work, keys), Work())


def count(make_layer: Callable[[], keras.layers.Layer], input_shape: tuple[int, ...]) -> Work:
    """Counts the work of a layer for one input by tracing, without allocating or computing.

    Every kernel (a trainable weight of rank 4) is assumed to be applied once per output pixel of
    the layer that owns it. This holds for all convolutions except transposed ones.

    Args:
        make_layer: Makes the layer.
        input_shape: `(1, height, width, channels)`, channels last.
    """
    with _without_traces():
        return _count(make_layer(), input_shape)


@contextlib.contextmanager
def _without_traces() -> Iterator[None]:
    """Creates variables without values inside the context; random states stay unchanged."""
    name = "uninitialized_variables"
    pending = list(global_state.get_global_attribute(name) or [])
    # Initialisers draw their seeds from Python's generator.
    state = random.getstate()
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        random.setstate(state)
        # Otherwise Keras would initialise them at the end of the next such scope.
        global_state.set_global_attribute(name, pending)


def _count(layer: keras.layers.Layer, input_shape: tuple[int, ...]) -> Work:
    layer.build(input_shape)
    macs = elements = 0

    def counted(owner: keras.layers.Layer) -> Callable[..., Any]:
        call = owner.call
        kernels = sum(math.prod(weight.shape) for weight in _kernels(owner))

        def wrapped(*args, **kwargs):
            nonlocal macs, elements
            output = call(*args, **kwargs)
            pixels = math.prod(output.shape[1:3])
            macs += kernels * pixels
            elements += max(output.shape[-1], sum(map(_outputs, _kernels(owner)))) * pixels
            return output

        return wrapped

    for each in (layer, *layer._flatten_layers(include_self=False, recursive=True)):
        if _kernels(each):
            each.call = counted(each)
    _Traced(layer)(keras.KerasTensor(input_shape))
    trainable, statistics = (
        sum(math.prod(weight.shape) for weight in weights)
        for weights in (layer.trainable_weights, layer.non_trainable_weights)
    )
    return Work(macs, elements, 1, trainable, statistics)


def _kernels(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Kernels that belong to the layer itself, not to its sublayers."""
    inner = {id(weight) for each in layer._layers for weight in each.weights}
    return [w for w in layer.trainable_weights if len(w.shape) == 4 and id(w) not in inner]


def _outputs(kernel: keras.Variable) -> int:
    """Channels that one of several kernels of a layer computes; depthwise ones say so."""
    return math.prod(kernel.shape[2:]) if "depthwise" in kernel.name else kernel.shape[-1]


class _Traced(keras.layers.Layer):
    """Runs a layer's `call` where Keras would only use its declared output shape."""

    def __init__(self, layer: keras.layers.Layer):
        super().__init__()
        self.layer = layer

    def call(self, inputs):
        return self.layer.call(inputs)
