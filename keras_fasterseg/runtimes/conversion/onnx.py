"""Converts a traced TensorFlow function to an ONNX model."""

import collections
import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx

# Version 11 introduced `Resize` with aligned corners; every supported runtime reads 17.
OPSET = 17

# Eight times the resolution of float32; it would matter only for sides of a million pixels.
_ROUNDING = 1 + 1e-6

_CHANNELS_FIRST = [0, 3, 1, 2]

_PURPOSE = "Converting to ONNX"
_EXTRA = "onnx"


def onnx_model(function: Any, opset: int = OPSET, simplify: bool = False) -> "onnx.ModelProto":
    """`function` as an ONNX model with its weights inside.

    Args:
        function: A `tf.types.experimental.ConcreteFunction` that returns a dictionary of tensors;
            the names of its arguments and the dictionary's keys become those of the model's inputs
            and outputs.
        opset: Version of the operator set.
        simplify: Whether onnxslim removes redundant nodes, which takes a second or more.

    Returns:
        A model that passed ONNX's own checker.

    Raises:
        RuntimeNotInstalledError: tf2onnx or onnxslim is not installed.
        ValueError: ONNX lacks an operation of the function, or the outputs have no names.
    """
    names = output_names(function)
    onnx = optional_import("onnx", _EXTRA, _PURPOSE)
    convert = optional_import("tf2onnx.convert", _EXTRA, _PURPOSE)
    with quiet_logger("tf2onnx"):
        model, _ = convert.from_function(_Traced(function), input_signature=(), opset=opset)
    _round_sizes_up(model, onnx)
    _state_paddings(model, onnx)
    _join_casts(model)
    _transpose_images(model, onnx)
    received = [output.name for output in model.graph.output]
    if sorted(received) != sorted(names):
        raise ValueError(
            f"The ONNX model must have the outputs {names}. Received from tf2onnx: {received}"
        )
    if simplify:
        model = optional_import("onnxslim", _EXTRA, _PURPOSE).slim(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"The function cannot be converted to ONNX with opset {opset}: {reason}."
        ) from error
    return model


def output_names(function: Any) -> list[str]:
    """The names of the outputs of a concrete function.

    Raises:
        ValueError: The function does not return a dictionary of tensors, or it was loaded from a
            SavedModel.
    """
    import tensorflow as tf

    outputs = function.structured_outputs
    if not isinstance(outputs, dict) or not all(tf.is_tensor(each) for each in outputs.values()):
        raise ValueError(
            "A function to convert must be traced in this process and return a dictionary of "
            f"tensors, whose keys name the outputs. Received: outputs={outputs}"
        )
    return [*outputs]


def _round_sizes_up(model: Any, onnx: Any) -> None:
    """Makes every resize reach its intended size.

    tf2onnx states the new size as a float32 quotient, and runtimes round its product with the old
    size down: from 7 to 15 pixels, the result is 14. With aligned corners the quotient has no other
    use, so it may be slightly larger. Recorded shapes derived from it are deleted.
    """
    scales = {node.input[2] for node in model.graph.node if node.op_type == "Resize"}
    for tensor in model.graph.initializer:
        if tensor.name in scales:
            values = onnx.numpy_helper.to_array(tensor)
            # Whole numbers and their inverses are exact; batch and channels must stay at one.
            exact = (values % 1 == 0) | (1 / values % 1 == 0)
            values = np.where(exact, values, values * np.float32(_ROUNDING)).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    del model.graph.value_info[:]


def _state_paddings(model: Any, onnx: Any) -> None:
    """Gives dilated convolutions their padding as numbers.

    For open sizes tf2onnx writes `auto_pad`, which ONNX Runtime refuses together with dilations.
    """
    for node in model.graph.node:
        values = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        dilations = values.get("dilations", ())
        # With another stride, the padding depends on the size.
        strides = max(values.get("strides", ()), default=1)
        if values.get("auto_pad") != b"SAME_UPPER" or max(dilations, default=1) == 1 or strides > 1:
            continue
        totals = [
            rate * (size - 1) for rate, size in zip(dilations, values["kernel_shape"], strict=True)
        ]
        starts = [total // 2 for total in totals]
        ends = [total - start for total, start in zip(totals, starts, strict=True)]
        kept = [each for each in node.attribute if each.name != "auto_pad"]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute("pads", starts + ends)])


def _join_casts(model: Any) -> None:
    """Merges two successive casts of an argmax into one: every type holds small integers."""
    makers = {name: node for node in model.graph.node for name in node.output}
    uses = collections.Counter(name for node in model.graph.node for name in node.input)
    for node in [each for each in model.graph.node if each.op_type == "Cast"]:
        first = makers.get(node.input[0])
        if first is None or first.op_type != "Cast" or uses[first.output[0]] > 1:
            continue
        source = makers.get(first.input[0])
        if source is not None and source.op_type == "ArgMax":
            node.input[0] = first.input[0]
            model.graph.node.remove(first)


def _transpose_images(model: Any, onnx: Any) -> None:
    """Moves channels to the front before images are normalised, not after.

    Then bytes are transposed, not floats. Per-channel arithmetic runs over entire planes instead of
    three neighbouring numbers, which is ten times as fast.
    """
    images = model.graph.input[0].name
    readers: dict[str, list[Any]] = collections.defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    chain, name = [], images
    while len(readers[name]) == 1 and _is_by_channel(readers[name][0], constants, onnx):
        chain.append(readers[name][0])
        name = chain[-1].output[0]
    last = readers[name][0] if len(readers[name]) == 1 else None
    if last is None or last.op_type != "Transpose" or not chain:
        return
    order = [*next(each.ints for each in last.attribute if each.name == "perm")]
    by_channel = {each for node in chain for each in node.input if each in constants}
    if order != _CHANNELS_FIRST or any(len(readers[each]) > 1 for each in by_channel):
        return
    for constant in by_channel:
        planes = onnx.numpy_helper.to_array(constants[constant]).reshape(-1, 1, 1)
        constants[constant].CopyFrom(onnx.numpy_helper.from_array(planes, constant))
    # The same nodes in another order: the last node of the chain now gives the transpose's result.
    result = last.output[0]
    last.input[0], last.output[0] = images, f"{images}_by_channel"
    chain[0].input[[*chain[0].input].index(images)] = last.output[0]
    chain[-1].output[0] = result
    model.graph.node.remove(last)
    model.graph.node.insert(0, last)


def _is_by_channel(node: Any, constants: Mapping[str, Any], onnx: Any) -> bool:
    """True if a node treats every pixel alike, with a constant of one or three numbers."""
    others = [constants[name] for name in node.input if name in constants]
    return node.op_type == "Cast" or (
        node.op_type in ("Sub", "Mul", "Add", "Div")
        and len(others) == 1
        and len(others[0].dims) <= 1
        and onnx.numpy_helper.to_array(others[0]).size in (1, 3)
    )


class _Traced:
    """Wraps a concrete function as the `tf.function` that tf2onnx expects."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def get_concrete_function(self) -> Any:
        return self._function


@contextlib.contextmanager
def quiet_logger(name: str | None = None) -> Iterator[None]:
    """Limits the logger `name`, or the root logger without a name, to errors."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
