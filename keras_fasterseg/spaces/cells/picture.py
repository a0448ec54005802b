"""Parts of pictures of networks of cells: the graph of a cell, a line for every edge."""

from collections.abc import Sequence

from keras_fasterseg.layers.cell_operations import ZERO
from keras_fasterseg.spaces.cells.cell_graph import CellGraph
from keras_fasterseg.spaces.picture import Box, BoxKind, Point, Stroke

_COLORS = {
    "skip": ("#6e7781", "skip, or reduction"),
    "max_pool": ("#f0b400", "3x3 max-pool"),
    "conv": ("#0072b2", "3x3 convolution"),
    "separable": ("#56b4e9", "3x3 separable, twice"),
    "dilated_2": ("#7bc8a4", "separable, dilation 2"),
    "dilated_4": ("#009e73", "separable, dilation 4"),
    "dilated_8": ("#00573f", "separable, dilation 8"),
    "conv_1x1": ("#d55e00", "1x1 convolution"),
}


def operation_kinds() -> dict[str, BoxKind]:
    """Colours and meanings of all operations, for the legend."""
    return {name: BoxKind((name,), color, meaning) for name, (color, meaning) in _COLORS.items()}


def graph_strokes(
    graph: CellGraph,
    places: Sequence[Point],
    operations: Sequence[str],
    box: Box,
    top: float,
    height: float,
) -> list[Stroke]:
    """Lines of a cell's graph, as wide as its box.

    Args:
        graph: The graph.
        places: Places of its states, as shares of its width and height.
        operations: Operation of every edge.
        box: Box of the cell.
        top: Top of the graph.
        height: Height of the graph.
    """

    def place(state: int) -> Point:
        x, y = places[state]
        return box.left[0] + x * box.width, top + y * height

    return [
        Stroke((place(source), place(graph.inputs + node)), name)
        for (node, source), name in zip(graph.edges, operations, strict=True)
        if name != ZERO
    ]
