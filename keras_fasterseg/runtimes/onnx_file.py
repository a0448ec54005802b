"""Checks an ONNX file before any runtime opens it."""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from keras_fasterseg.runtimes.optional_import import optional_import


def check_self_contained(path: pathlib.Path) -> None:
    """Checks that the ONNX file `path` contains all its weights.

    Runtimes open any file that a tensor names. Such files are not part of the digest that
    identifies a network, and an untrusted model may name any file.

    Raises:
        ValueError: A tensor is in another file.
        RuntimeNotInstalledError: onnx is not installed.
    """
    onnx = optional_import("onnx", "onnx", "Opening an ONNX file")
    protobuf = optional_import("google.protobuf.message", "onnx", "Opening an ONNX file")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except protobuf.DecodeError:
        # The runtime reports this itself.
        return
    nodes = [node for function in model.functions for node in function.node]
    for tensor in (*_tensors(model.graph), *_constants(nodes)):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            location = {entry.key: entry.value for entry in tensor.external_data}.get("location")
            raise ValueError(
                f"{path} stores the tensor {tensor.name} in another file, {location}, which is not "
                "read; save the model with its weights inside, or export the network again."
            )


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _constants(graph.node)


def _constants(nodes: Iterable[Any]) -> Iterator[Any]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _tensors(graph)
