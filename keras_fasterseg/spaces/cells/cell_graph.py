"""Cells as graphs: which edge joins what, and what is left if edges vanish.

The states of a cell are its inputs, then its nodes. Every node sees all inputs and all earlier
nodes, by one edge each; edges are ordered by node, then by source.

A node whose edges all vanish would be a constant. A derived network gives it the last input, as a
`skip` (not specified in the paper; our choice): see `completed`.
"""

import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import Any

from keras_fasterseg.files import shown
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS, SKIP, ZERO
from keras_fasterseg.setting import require


@dataclasses.dataclass(frozen=True)
class CellGraph:
    """Graph of a cell.

    Attributes:
        inputs: Number of inputs; the last one replaces edges of a node without any.
        nodes: Number of nodes, whose concatenation is the output.
    """

    inputs: int
    nodes: int

    @functools.cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs of a node and the state that it sees."""
        return tuple(
            (node, source) for node in range(self.nodes) for source in range(self.inputs + node)
        )

    def into(self, node: int) -> list[int]:
        """Numbers of the edges into a node."""
        return [index for index, (end, _) in enumerate(self.edges) if end == node]

    def out_of(self, source: int) -> list[int]:
        """Numbers of the edges that read a state."""
        return [index for index, (_, start) in enumerate(self.edges) if start == source]

    def fallback(self, node: int) -> int:
        """Number of the edge that becomes a `skip` if all edges into a node vanish."""
        return self.edges.index((node, self.inputs - 1))

    def completed(self, operations: Sequence[str]) -> tuple[str, ...]:
        """The operations with a `skip` from the last input into every node without an edge."""
        found = list(operations)
        for node in range(self.nodes):
            if all(found[edge] == ZERO for edge in self.into(node)):
                found[self.fallback(node)] = SKIP
        return tuple(found)

    def used_inputs(self, operations: Sequence[str]) -> list[int]:
        """Inputs that an edge reads."""
        return [
            source
            for source in range(self.inputs)
            if any(operations[edge] != ZERO for edge in self.out_of(source))
        ]

    def run(self, operations: Sequence[str], inputs: Sequence[Any], apply: Any) -> list[Any]:
        """Outputs of the nodes.

        Args:
            operations: Name of the operation of every edge, as `completed` returns them.
            inputs: The inputs; those that no edge reads may be `None`.
            apply: Function of the number of an edge and a state that returns the edge's output.
        """
        states = list(inputs)
        for node in range(self.nodes):
            edges = [edge for edge in self.into(node) if operations[edge] != ZERO]
            states.append(_sum([apply(edge, states[self.edges[edge][1]]) for edge in edges]))
        return states[self.inputs :]


def check_graph(
    name: str, operations: Sequence[str], graph: CellGraph, known: Sequence[str]
) -> None:
    """Raises `ValueError` unless `operations` are those of a derived cell called `name`."""
    require(
        len(operations) == len(graph.edges),
        f"{name} must have {len(graph.edges)} operations. Received: {len(operations)}",
    )
    for operation in operations:
        require(
            isinstance(operation, str) and operation in known,
            f"{name} must consist of {', '.join(known)}. Received: {shown(operation)}",
        )
    require(
        graph.completed(operations) == tuple(operations),
        f"Every node of {name} needs an edge that is not zero. Received: {list(operations)}",
    )


def _sum(values: Sequence[Any]) -> Any:
    """Sum of tensors, without a zero that would be part of a network's graph."""
    return functools.reduce(operator.add, values)


CELL = CellGraph(inputs=2, nodes=2)
"""A cell reads the two cells before it, the older one first."""

FUSION = CellGraph(inputs=3, nodes=3)
"""The fusion cell reads the last cells of three scales, the finest first."""

FUSION_OPERATIONS = (*CELL_OPERATIONS, "conv_1x1")
"""Operations of an edge of the fusion cell."""
