"""Combines several copies of a converted ONNX graph, without converting each copy."""

from typing import TYPE_CHECKING

import numpy as np

from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx

# Relative difference between the kernels of successive copies, so that no optimizer finds two
# equal ones.
_STEP = 1e-3
_KERNEL_DIMENSIONS = 4


def onnx_copies(model: "onnx.ModelProto", copies: int) -> "onnx.ModelProto":
    """`copies` of a graph in one, each with its own inputs and kernels; their outputs are summed.

    Converting a graph of four operations would take four times as long as converting one.

    Args:
        model: A graph with inputs called `NAME_0` and one output.
        copies: Number of copies.

    Returns:
        A graph with the inputs `NAME_0`, `NAME_1`, … and the same output.
    """
    if copies == 1:
        return model
    onnx = optional_import("onnx", "onnx", "Copying ONNX graphs")
    (output,) = model.graph.output
    single = onnx.ModelProto()
    single.CopyFrom(model)
    # The transpose to the output layout runs once, after the sum, as in a converted graph.
    last = next(node for node in single.graph.node if output.name in node.output)
    ends = [last] if last.op_type == "Transpose" else []
    addend = last.input[0] if ends else output.name
    for node in ends:
        single.graph.node.remove(node)
    nodes, inputs, tensors = [], [], []
    for index in range(copies):
        prefix = f"copy_{index}/"
        part = onnx.compose.add_prefix(single, prefix).graph
        names = {
            f"{prefix}{each.name}": f"{each.name.removesuffix('_0')}_{index}"
            for each in model.graph.input
        }
        for node in part.node:
            node.input[:] = [names.get(name, name) for name in node.input]
        for value in part.input:
            value.name = names[value.name]
        for tensor in part.initializer:
            if len(tensor.dims) == _KERNEL_DIMENSIONS:
                values = onnx.numpy_helper.to_array(tensor) * np.float32(1 + _STEP * index)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        nodes += part.node
        inputs += part.input
        tensors += part.initializer
    addends = [f"copy_{index}/{addend}" for index in range(copies)]
    nodes += [onnx.helper.make_node("Sum", addends, [addend]), *ends]
    graph = onnx.helper.make_graph(nodes, model.graph.name, inputs, [output], tensors)
    return onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
