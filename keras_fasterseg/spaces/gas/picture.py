"""Picture layout of a GAS-style network: its cells in a row, each with its graph above it.

Columns are the steps of the network; rows are the scales of their outputs. In the graph of a cell,
inputs are on the left (the older one above) and nodes on the right; a line has the colour of its
operation.
"""

import itertools
from collections.abc import Sequence

from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, CellGraph
from keras_fasterseg.spaces.cells.keys import STEM_SCALE
from keras_fasterseg.spaces.cells.picture import graph_strokes, operation_kinds
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.plan import STEM, fused_cells
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

_LEFT, _RIGHT, _BOTTOM = 50, 14, 14
_ROW, _BOX, _GRAPH = 128, 56, 52
_WIDEST_COLUMN = 76
_LAST_STEM = "stem_2"

_PLACES: dict[CellGraph, Sequence[Point]] = {
    CELL: ((0, 0.1), (0, 0.9), (0.5, 0.5), (1, 0.5)),
    FUSION: ((0, 0), (0, 0.5), (0, 1), (0.4, 0.25), (0.7, 0.8), (1, 0.4)),
}
"""Places of the states of a graph, as shares of its width and height."""


def lay_out(genotype: GasGenotype, width: float, serving: bool = False) -> Picture:
    """Lays a network out; see `SearchSpace.picture`."""
    live = genotype.live_cells
    fused = list(genotype.fused.values())
    decoder = "fusion" if genotype.fusion else "pyramid"
    end = fused_cells(genotype.plans)[1].scale if genotype.fusion else live[-1].scale
    filters = genotype.decoder_filters * (FUSION.nodes if genotype.fusion else 1)
    stem = CELL.nodes * genotype.initial_filters
    steps: list[tuple[str, int, int | None]] = [
        (f"stem_{index}", STEM_SCALE if index else 1, stem) for index in range(3)
    ]
    steps += [(plan.name, plan.scale, CELL.nodes * plan.filters) for plan in live]
    steps += [(decoder, end, filters), ("classifier", end, None)]
    if serving:
        steps.append((SERVING, end, None))
    scales = sorted({scale for _, scale, _ in steps})
    rows = {scale: Row(scale, TOP + index * _ROW, _ROW) for index, scale in enumerate(scales)}
    pitch = min(_WIDEST_COLUMN, (width - _LEFT - _RIGHT) / len(steps))
    boxes = {}
    for column, (name, scale, outputs) in enumerate(steps):
        center = _LEFT + (column + 0.5) * pitch, rows[scale].top + _ROW - _BOX / 2 - 6
        kind = name if name in (decoder, "classifier", SERVING) else name.split("_")[0]
        kind = f"cell {name.split('_')[1]}" if kind == "cell" else kind
        boxes[name] = Box(name, kind, center, 0.8 * pitch, _BOX, outputs)

    wires, strokes = [], []
    for plan in live:
        operations = genotype.cells[plan.index]
        source = plan.inputs[CELL.used_inputs(operations)[-1]].source
        before = boxes[_LAST_STEM if source == STEM else f"cell_{source}"]
        wires.append(_step(before, boxes[plan.name]))
        strokes += _graph(CELL, operations, boxes[plan.name], rows[plan.scale])
    wires += [_step(boxes[f"stem_{index}"], boxes[f"stem_{index + 1}"]) for index in range(2)]
    wires += [_step(boxes[plan.name], boxes[decoder]) for plan in fused[-1:]]
    wires += [_fine(boxes[plan.name], boxes[decoder], pitch) for plan in fused[:-1]]
    names = [decoder, "classifier", *([SERVING] if serving else [])]
    wires += [_step(boxes[one], boxes[other]) for one, other in itertools.pairwise(names)]
    if genotype.fusion:
        strokes += _graph(FUSION, genotype.fusion, boxes[decoder], rows[end])
    return Picture(
        TOP + len(scales) * _ROW + _BOTTOM,
        tuple(rows.values()),
        tuple(boxes.values()),
        tuple(wires),
        _kinds(genotype),
        stem_rows=1,
        notes=("number: filters of the output", "above a cell: its inputs and nodes"),
        strokes=tuple(strokes),
    )


def _kinds(genotype: GasGenotype) -> dict[str, BoxKind]:
    kinds = operation_kinds() | {
        f"cell {plan.index}": BoxKind((str(plan.index),), "#dbe9f4") for plan in genotype.live_cells
    }
    return kinds | {
        "stem": BoxKind(("stem",), "#e8e8e8"),
        "pyramid": BoxKind(("aspp",), "#cc79a7"),
        "fusion": BoxKind(("fuse",), "#cc79a7"),
        "classifier": BoxKind(("class",), "#cc79a7"),
        SERVING: BoxKind(("in,", "out"), "#d0d7de"),
    }


def _graph(graph: CellGraph, operations: Sequence[str], box: Box, row: Row) -> list[Stroke]:
    return graph_strokes(graph, _PLACES[graph], operations, box, row.top + 8, _GRAPH)


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
