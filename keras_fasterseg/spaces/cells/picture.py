"""Picture layout of networks of cells: steps in a row, cells with their graphs above them.

Columns are the steps of the network; rows are the scales of their outputs. In the graph of a cell,
inputs are on the left and nodes on the right; a line has the colour of its operation.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from keras_fasterseg.layers.cell_operations import ZERO
from keras_fasterseg.spaces.cells.cell_graph import CellGraph
from keras_fasterseg.spaces.cells.keys import STEM_SCALE, STEM_STRIDES
from keras_fasterseg.spaces.picture import (
    SERVING,
    TOP,
    Box,
    BoxKind,
    Picture,
    Point,
    Row,
    Stroke,
    Wire,
)

LAST_STEM = f"stem_{len(STEM_STRIDES) - 1}"
"""Name of the last step of the stem."""

_LEFT, _RIGHT, _BOTTOM = 50, 14, 14
_ROW, _BOX, _GRAPH = 128, 56, 52
_WIDEST_COLUMN = 76

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


_PLACES: dict[tuple[int, int], Sequence[Point]] = {
    (1, 2): ((0, 0.5), (0.5, 0.1), (1, 0.7)),
    (2, 2): ((0, 0.1), (0, 0.9), (0.5, 0.5), (1, 0.5)),
    (1, 3): ((0, 0.5), (0.4, 0.1), (0.7, 0.9), (1, 0.4)),
    (2, 3): ((0, 0.1), (0, 0.9), (0.4, 0.25), (0.7, 0.8), (1, 0.4)),
    (3, 3): ((0, 0), (0, 0.5), (0, 1), (0.4, 0.25), (0.7, 0.8), (1, 0.4)),
}
"""Places of the states of a graph by its numbers of inputs and nodes, as shares of its width and
height."""


@dataclasses.dataclass(frozen=True)
class Step:
    """A column of the picture.

    Attributes:
        name: Name of the stage.
        kind: Kind of its box.
        scale: Scale of its output.
        outputs: Channels of its output; None to show none.
        graph: Graph of a cell, and `operations` of its edges.
    """

    name: str
    kind: str
    scale: int
    outputs: int | None = None
    graph: CellGraph | None = None
    operations: Sequence[str] = ()


def stem_steps(filters: int) -> list[Step]:
    """The three convolutions before the cells; the first has a row of its own."""
    return [
        Step(f"stem_{index}", "stem", STEM_SCALE if index else 1, filters)
        for index in range(len(STEM_STRIDES))
    ]


def lay_out_cells(
    steps: Sequence[Step],
    wires: Sequence[tuple[str, str]],
    fine: Sequence[tuple[str, str]],
    kinds: Mapping[str, BoxKind],
    width: float,
) -> Picture:
    """Lays a network of cells out.

    Args:
        steps: The steps, in order, of which the first are `stem_steps`.
        wires: Names of the two steps that a line joins.
        fine: As `wires`, for lines below the cells of a row.
        kinds: Kinds of boxes beside the stem's, the classifier's, and the operations.
        width: Width of the picture.
    """
    scales = sorted({step.scale for step in steps})
    rows = {scale: Row(scale, TOP + index * _ROW, _ROW) for index, scale in enumerate(scales)}
    pitch = min(_WIDEST_COLUMN, (width - _LEFT - _RIGHT) / len(steps))
    boxes, strokes = {}, []
    for column, step in enumerate(steps):
        row = rows[step.scale]
        center = _LEFT + (column + 0.5) * pitch, row.top + _ROW - _BOX / 2 - 6
        box = Box(step.name, step.kind, center, 0.8 * pitch, _BOX, step.outputs)
        boxes[step.name] = box
        if step.graph is not None:
            strokes += _graph_strokes(step.graph, step.operations, box, row.top + 8)
    lines = [_step(boxes[one], boxes[other]) for one, other in wires]
    lines += [_fine(boxes[one], boxes[other], pitch) for one, other in fine]
    colors = {name: BoxKind((name,), color, meaning) for name, (color, meaning) in _COLORS.items()}
    around = {
        "stem": BoxKind(("stem",), "#e8e8e8"),
        "classifier": BoxKind(("class",), "#cc79a7"),
        SERVING: BoxKind(("in,", "out"), "#d0d7de"),
    }
    return Picture(
        TOP + len(scales) * _ROW + _BOTTOM,
        tuple(rows.values()),
        tuple(boxes.values()),
        tuple(lines),
        {**colors, **kinds, **around},
        stem_rows=1,
        notes=("number: filters of the output", "above a cell: its inputs and nodes"),
        strokes=tuple(strokes),
    )


def _graph_strokes(
    graph: CellGraph, operations: Sequence[str], box: Box, top: float
) -> list[Stroke]:
    """Lines of a cell's graph, as wide as its box."""
    places = _PLACES[graph.inputs, graph.nodes]

    def place(state: int) -> Point:
        x, y = places[state]
        return box.left[0] + x * box.width, top + y * _GRAPH

    return [
        Stroke((place(source), place(graph.inputs + node)), name)
        for (node, source), name in zip(graph.edges, operations, strict=True)
        if name != ZERO
    ]


def _step(before: Box, after: Box) -> Wire:
    if before.center[1] == after.center[1]:
        return Wire((before.right, after.left))
    turn = after.left[0] - (after.left[0] - before.right[0]) / 2
    turn = max(turn, after.left[0] - 0.1 * after.width)
    return Wire((before.right, (turn, before.center[1]), (turn, after.center[1]), after.left))


def _fine(before: Box, after: Box, pitch: float) -> Wire:
    """A wire of a finer feature: below the cells of its row, then to the decoder."""
    low = before.bottom[1] + 3
    turn = after.left[0] - 0.15 * pitch
    return Wire(
        (before.bottom, (before.bottom[0], low), (turn, low), (turn, after.center[1]), after.left),
        is_fine=True,
    )
