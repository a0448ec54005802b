"""Several copies of an ONNX graph in one, made of the converted graph, not converted each."""

from typing import TYPE_CHECKING

import numpy as np

from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx

# What kernels of one copy differ by from those of the one before, so that no optimizer finds two
# alike.
_STEP = 1e-3
_KERNEL_DIMENSIONS = 4


def onnx_copies(model: "onnx.ModelProto", copies: int) -> "onnx.ModelProto":
    """`copies` of a graph, each with inputs and kernels of its own; their outputs are added up.

    Converting a graph of four operations takes four times as long as converting one of them.

    Args:
        model: A graph with inputs called `NAME_0` and one output.
        copies: How many.

    Returns:
        A graph with the inputs `NAME_0`, `NAME_1`, … and the same output.
    """
    if copies == 1:
        return model
    onnx = optional_import("onnx", "onnx", "Copying ONNX graphs")
    (output,) = model.graph.output
    single = onnx.ModelProto()
    single.CopyFrom(model)
    # The way back to the layout of the output is taken once, after the sum, as a converter does.
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
