"""The operations behind `OpKey`s: their layers, and their work as counted from these."""

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
"""All that surrounds a network from uint8 images to class ids: one call of the runtime,
normalisation, enlarging by 8 and argmax. No layer stands for it."""


@dataclass(frozen=True)
class Operation:
    """An operation that a key can name.

    Attributes:
        make_layer: Makes the layer for a key; `None` for `SERVING`.
        strides: The strides that it exists at.
        attributes: Names of the attributes that its keys have, in alphabetical order.
    """

    make_layer: Callable[[OpKey], keras.layers.Layer] | None
    strides: tuple[int, ...] = (1, 2)
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """One pass of one image, and the weights behind it.

    Attributes:
        macs: Multiply-accumulates of the convolutions.
        elements: Values that the convolutions put out.
        operations: Number of operations.
        trainable: Weights that are trained: kernels, scales, offsets, biases.
        statistics: Moving means and variances.
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
    """Makes the operations of a search space known, by name.

    Raises:
        ValueError: Another operation has that name already.
    """
    for name, operation in operations.items():
        if _OPERATIONS.setdefault(name, operation) != operation:
            raise ValueError(f"There is another operation {name!r} already; choose another name.")


def operation_of(key: OpKey) -> Operation:
    """The registered operation that explains `key`.

    Raises:
        ValueError: There is none of that name, or not with that stride or these attributes.
    """
    operation = _OPERATIONS.get(key.operation)
    if operation is None:
        raise ValueError(
            f"No search space here has the operation of {key}; known are "
            f"{', '.join(sorted(_OPERATIONS))}."
        )
    names = tuple(name for name, _ in key.attributes)
    if key.stride not in operation.strides or names != operation.attributes:
        raise ValueError(
            f"`{key.operation}` exists with stride {' or '.join(map(str, operation.strides))} and "
            f"the attributes {operation.attributes}. Received: {key}"
        )
    return operation


def build_operation(key: OpKey) -> keras.Model:
    """The operation as a model of its own, at batch size 1 and static size.

    Raises:
        ValueError: No registered operation explains `key`, or it is `SERVING`.
    """
    make_layer = operation_of(key).make_layer
    if make_layer is None:
        raise ValueError(f"No layer stands for {key}.")
    images = keras.Input((key.height, key.width, key.in_filters), batch_size=1, name="images")
    return keras.Model(images, make_layer(key)(images))


@functools.lru_cache(maxsize=4096)
def work(key: OpKey) -> Work:
    """The work of an operation, counted from its layer; `SERVING` has none.

    Raises:
        ValueError: No registered operation explains `key`.
    """
    make_layer = operation_of(key).make_layer
    if make_layer is None:
        return Work(operations=1)
    return count(lambda: make_layer(key), (1, key.height, key.width, key.in_filters))


def total_work(keys: Iterable[OpKey]) -> Work:
    """The sum over operations."""
    return sum(map(work, keys), Work())


def count(make_layer: Callable[[], keras.layers.Layer], input_shape: tuple[int, ...]) -> Work:
    """The work of a layer for one input: traced, with no weight allocated and nothing computed.

    Every kernel, that is every weight of rank 4, is taken to be applied once to each pixel of the
    output of the layer that owns it. That holds for all convolutions but transposed ones.

    Args:
        make_layer: Makes the layer.
        input_shape: `(1, height, width, channels)`, channels last.
    """
    with _without_traces():
        return _count(make_layer(), input_shape)


@contextlib.contextmanager
def _without_traces() -> Iterator[None]:
    """Variables that are made within have shapes and no values; random states stay as they are."""
    name = "uninitialized_variables"
    pending = list(global_state.get_global_attribute(name) or [])
    # Initial weights take their seeds from Python's generator.
    state = random.getstate()
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        random.setstate(state)
        # Keras would give them values at the end of the next such scope.
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
            elements += output.shape[-1] * pixels
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
    """The kernels that a layer owns itself."""
    inner = {id(weight) for each in layer._layers for weight in each.weights}
    return [w for w in layer.trainable_weights if len(w.shape) == 4 and id(w) not in inner]


class _Traced(keras.layers.Layer):
    """Calls a layer where Keras would only ask for the shape of its output."""

    def __init__(self, layer: keras.layers.Layer):
        super().__init__()
        self.layer = layer

    def call(self, inputs):
        return self.layer.call(inputs)
