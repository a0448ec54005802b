"""Converts an ONNX model from float32 to float16."""

import graphlib
from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx

_PURPOSE = "Converting to float16"
_EXTRA = "onnx"


def half_precision(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """`model` converted from float32 to float16.

    Inputs and outputs keep names and types: `images` and `class_ids` stay uint8, `logits` float32.
    The preprocessing before the first convolution stays in float32, and so do the scales of
    resizes. Weights beyond the range of float16 become its largest number.

    Args:
        model: A float32 model with its weights inside, such as one from `onnx_model`; it is not
            changed.

    Returns:
        A model that passed ONNX's own checker.

    Raises:
        RuntimeNotInstalledError: onnx or onnxruntime, which has the converter, is not installed.
        ValueError: The model already computes in float16, or cannot be converted.
    """
    onnx = optional_import("onnx", _EXTRA, _PURPOSE)
    if computes_in_half(model):
        raise ValueError("The ONNX model already computes in float16; convert the float32 model.")
    converter = optional_import("onnxruntime.transformers.float16", _EXTRA, _PURPOSE)
    model = _prepared(model, onnx)
    kept = sorted(_before_convolutions(model.graph))
    # The default block list names operators that once lacked float16 kernels but now have them.
    half = converter.convert_float_to_float16(
        model, keep_io_types=True, op_block_list=[], node_block_list=kept
    )
    nodes = _in_order(_without_detours(half.graph, onnx))
    # Copied first: clearing the field would invalidate its nodes.
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del half.graph.node[:]
    half.graph.node.extend(nodes)
    try:
        onnx.checker.check_model(half, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"The ONNX model cannot be written in float16: {reason}.") from error
    return half


def computes_in_half(model: "onnx.ModelProto") -> bool:
    """True if the model has float16 weights."""
    onnx = optional_import("onnx", _EXTRA, _PURPOSE)
    kind = onnx.TensorProto.FLOAT16
    return any(tensor.data_type == kind for tensor in model.graph.initializer)


def _prepared(model: Any, onnx: Any) -> Any:
    """A copy for the converter, with unique node names and without unused regions of interest.

    The converter excludes nodes by name. It converts regions of interest to float16, and with them
    any scales that share their tensor. Only a resize with a crop reads regions of interest.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for index, node in enumerate(copy.graph.node):
        node.name = f"{index}_{node.op_type}"
        modes = [a.s for a in node.attribute if a.name == "coordinate_transformation_mode"]
        has_region = node.op_type == "Resize" and len(node.input) > 2
        if has_region and modes != [b"tf_crop_and_resize"]:
            node.input[1] = ""
    used = {name for node in copy.graph.node for name in node.input}
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(initializers)
    return copy


def _before_convolutions(graph: Any) -> set[str]:
    """Names of the nodes between the images and the first convolution."""
    computed = {output for node in graph.node for output in node.output}
    reached = {each.name for each in graph.input}
    names = set()
    for node in graph.node:
        sources = set(node.input)
        if node.op_type != "Conv" and sources & reached and sources & computed <= reached:
            reached.update(node.output)
            names.add(node.name)
    return names


def _without_detours(graph: Any, onnx: Any) -> list[Any]:
    """The nodes without casts from float32 to float16 and back, which lose precision.

    The converter adds such casts around every node that it excludes.
    """
    wide, narrow = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    is_wide = {
        each.name
        for each in [*graph.value_info, *graph.input]
        if each.type.tensor_type.elem_type == wide
    }
    narrowed = {
        node.output[0]: node.input[0]
        for node in graph.node
        if _casts_to(node, narrow) and node.input[0] in is_wide
    }
    shortcuts = {
        node.output[0]: narrowed[node.input[0]]
        for node in graph.node
        if _casts_to(node, wide) and node.input[0] in narrowed
    }
    nodes = [node for node in graph.node if node.output[0] not in shortcuts]
    for node in nodes:
        for index, name in enumerate(node.input):
            node.input[index] = shortcuts.get(name, name)
    used = {each.name for each in graph.output}
    used.update(name for node in nodes for name in node.input)
    # Two excluded nodes that read the same tensor get casts of the same name.
    casts = {n.output[0]: n for n in nodes if n.op_type == "Cast" and n.output[0] in used}
    return [*(node for node in nodes if node.op_type != "Cast"), *casts.values()]


def _casts_to(node: Any, kind: int) -> bool:
    return node.op_type == "Cast" and any(
        attribute.name == "to" and attribute.i == kind for attribute in node.attribute
    )


def _in_order(nodes: list[Any]) -> list[Any]:
    """The nodes in topological order, which ONNX requires.

    The converter puts its casts at the end.
    """
    order = graphlib.TopologicalSorter()
    producers = {output: index for index, node in enumerate(nodes) for output in node.output}
    for index, node in enumerate(nodes):
        order.add(index, *(producers[name] for name in node.input if name in producers))
    return [nodes[index] for index in order.static_order()]
