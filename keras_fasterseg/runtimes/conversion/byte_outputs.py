"""Casts to uint8 by way of float32, as TensorRT wants them."""

from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx


def bytes_from_floats(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The model whose casts to uint8 all read floats; what it computes stays the same.

    TensorRT documents conversions to uint8 from float32 and float16 only, and rules out int32
    (`DataType.UINT8` in its Python API); class ids are below 256, which both floats hold exactly.

    Args:
        model: An ONNX model; it is not changed.

    Raises:
        RuntimeNotInstalledError: onnx is not installed.
    """
    onnx = optional_import("onnx", "onnx", "Preparing a network for TensorRT")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    types = _types(onnx.shape_inference.infer_shapes(model).graph)
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    nodes = []
    for node in model.graph.node:
        to = next((a.i for a in node.attribute if node.op_type == "Cast" and a.name == "to"), None)
        if to == onnx.TensorProto.UINT8 and types.get(node.input[0]) not in floats:
            through = f"{node.output[0]}_as_float"
            nodes.append(
                onnx.helper.make_node(
                    "Cast", [node.input[0]], [through], name=through, to=onnx.TensorProto.FLOAT
                )
            )
            nodes.append(onnx.helper.make_node("Cast", [through], node.output, node.name, to=to))
        else:
            nodes.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _types(graph: Any) -> dict[str, int]:
    known = [*graph.value_info, *graph.input, *graph.output]
    return {each.name: each.type.tensor_type.elem_type for each in known}
