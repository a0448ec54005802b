"""Keeps uint8 at a network's inputs and outputs and floats inside, as TensorRT requires."""

from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx


def floats_inside(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """An equivalent model that casts uint8 inputs to floats at once, and floats to uint8 outputs.

    TensorRT supports uint8 only in inputs and outputs, and documents casts only from and to float32
    and float16 (`DataType.UINT8` in its Python API). It cannot transpose uint8 or cast int32 to it.
    uint8 values, including class ids, are integers below 256, which both floats hold exactly.

    Args:
        model: An ONNX model; it is not changed.

    Raises:
        RuntimeNotInstalledError: onnx is not installed.
    """
    onnx = optional_import("onnx", "onnx", "Preparing a network for TensorRT")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    rim = {each.name: f"{each.name}_as_float" for each in graph.input if _is_bytes(each, onnx)}
    nodes = [_cast(source, target, onnx) for source, target in rim.items()]
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = rim.get(name, name)
    # The recorded types are no longer valid.
    del graph.value_info[:]
    types = _types(onnx.shape_inference.infer_shapes(_with_nodes(copy, [*nodes, *graph.node])))
    for node in graph.node:
        to = next((a.i for a in node.attribute if node.op_type == "Cast" and a.name == "to"), None)
        if to == onnx.TensorProto.UINT8 and types.get(node.input[0]) not in _floats(onnx):
            through = f"{node.output[0]}_as_float"
            nodes.append(_cast(node.input[0], through, onnx))
            node.input[0] = through
        nodes.append(node)
    return _with_nodes(copy, nodes)


def _is_bytes(value: Any, onnx: Any) -> bool:
    return value.type.tensor_type.elem_type == onnx.TensorProto.UINT8


def _floats(onnx: Any) -> tuple[int, int]:
    return onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def _cast(source: str, target: str, onnx: Any) -> Any:
    """A node that casts `source` to float32, named after its output."""
    return onnx.helper.make_node("Cast", [source], [target], target, to=onnx.TensorProto.FLOAT)


def _with_nodes(model: Any, nodes: list[Any]) -> Any:
    """A copy of `model` with `nodes` in place of its own."""
    result = type(model)()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _types(model: Any) -> dict[str, int]:
    known = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    return {each.name: each.type.tensor_type.elem_type for each in known}
