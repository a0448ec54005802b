"""Expected latency of a cell, given the shares of the operations of its edges."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.cell_operations import SKIP, ZERO
from keras_fasterseg.spaces.cells.cell_graph import CellGraph


@dataclasses.dataclass(frozen=True)
class GraphLatencies:
    """Latencies of one or more cells of one graph, in milliseconds.

    Attributes:
        inputs: Of the preprocessing of every input, `(..., inputs)`.
        edges: Of every operation on every edge, `(..., edges, operations)`.
        operations: Names of the operations.
    """

    inputs: np.ndarray
    edges: np.ndarray
    operations: Sequence[str]


def milliseconds(table: LatencyTable, keys: Any) -> np.ndarray:
    """Latencies of a key or of nested lists of keys, in the shape of the lists; None costs 0.

    Raises:
        KeyError: A row is missing in the table.
    """
    if keys is None or isinstance(keys, OpKey):
        return np.asarray(0.0 if keys is None else table[keys].latency_ms, "float32")
    return np.stack([milliseconds(table, each) for each in keys])


def used_shares(shares: Any, graph: CellGraph, operations: Sequence[str]) -> list[Any]:
    """Probability that a derived cell reads each input, `(...)` each.

    Args:
        shares: Shares of the operations, `(..., edges, operations)`.
        graph: The graph of the cell.
        operations: Names of the operations.
    """
    zero = ops.unstack(shares[..., operations.index(ZERO)], axis=-1)
    used = []
    for source in range(graph.inputs):
        unused = math.prod([zero[edge] for edge in graph.out_of(source)])
        if source == graph.inputs - 1:
            # It is also read by a node without any other edge.
            for node in range(graph.nodes):
                others = set(graph.into(node)) - {graph.fallback(node)}
                unused = unused * (1.0 - math.prod([zero[edge] for edge in sorted(others)]))
        used.append(1.0 - unused)
    return used


def graph_latency(
    shares: Any, graph: CellGraph, latencies: GraphLatencies, used: Sequence[Any]
) -> Any:
    """Expected latency of a cell that is part of the network, `(...)`."""
    operations = latencies.operations
    zero = ops.unstack(shares[..., operations.index(ZERO)], axis=-1)
    total = ops.sum(shares * latencies.edges, axis=(-2, -1))
    for node in range(graph.nodes):
        empty = math.prod([zero[edge] for edge in graph.into(node)])
        skip = latencies.edges[..., graph.fallback(node), operations.index(SKIP)]
        total = total + empty * skip
    for source, share in enumerate(used):
        total = total + share * latencies.inputs[..., source]
    return total
