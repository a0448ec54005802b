"""Layout of a network as boxes and wires, for drawing."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.spaces.stage import Stage

SERVING = "serving"
TOP = 66
"""Top of the first row, in pixels; the title is above it."""

_LEFT, _RIGHT, _BOTTOM = 50, 14, 14
_ROW, _BOX, _WIDEST_COLUMN = 78, 52, 76
_COLORS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#ffffff")

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class BoxKind:
    """Appearance of boxes of one kind.

    Attributes:
        lines: The text; a narrow box puts each item on its own line.
        color: Fill colour as `#rrggbb`.
        meaning: Text in the legend; None: not in the legend.
    """

    lines: tuple[str, ...]
    color: str
    meaning: str | None = None


@dataclasses.dataclass(frozen=True)
class Box:
    """A part of the network.

    Attributes:
        name: Name of the stage.
        kind: Key in the picture's `kinds`.
        center: Centre of the box.
        width: Width of the box.
        height: Height of the box, larger for a wider node.
        filters: Output channels; None: not shown.
        stride: 2 if the output is one scale coarser, else 1.
    """

    name: str
    kind: str
    center: Point
    width: float
    height: float
    filters: int | None
    stride: int = 1

    @property
    def left(self) -> Point:
        return self.center[0] - self.width / 2, self.center[1]

    @property
    def right(self) -> Point:
        return self.center[0] + self.width / 2, self.center[1]

    @property
    def top(self) -> Point:
        return self.center[0], self.center[1] - self.height / 2

    @property
    def bottom(self) -> Point:
        return self.center[0], self.center[1] + self.height / 2


@dataclasses.dataclass(frozen=True)
class Wire:
    """Line that carries a feature from one box to another.

    Attributes:
        points: Its corners.
        is_fine: True for a fine feature that bypasses cells on its way to the decoder.
    """

    points: tuple[Point, ...]
    is_fine: bool = False


@dataclasses.dataclass(frozen=True)
class Stroke:
    """Line in a small graph, with a dot at both ends: its points, and its key in `kinds`."""

    points: tuple[Point, Point]
    kind: str


@dataclasses.dataclass(frozen=True)
class Row:
    """Stripe of one scale: downsampling rate, upper edge and height."""

    scale: int
    top: float
    height: float


@dataclasses.dataclass(frozen=True)
class Picture:
    """Layout of a network without its title. All lengths are in pixels; y grows downwards.

    Attributes:
        height: Height of the picture.
        rows: Rows from top to bottom; the first `stem_rows` are drawn on white.
        boxes: Boxes, all of the same width.
        wires: Connections between boxes.
        kinds: Appearance of boxes and strokes by kind, in the order of the legend.
        stem_rows: Number of leading rows that belong to the stem.
        notes: Additional lines of the legend.
        strokes: Lines of small graphs.
    """

    height: float
    rows: tuple[Row, ...]
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    kinds: Mapping[str, BoxKind]
    stem_rows: int = 0
    notes: tuple[str, ...] = ("number: filters",)
    strokes: tuple[Stroke, ...] = ()

    @property
    def crossings(self) -> tuple[Point, ...]:
        """Points where one wire crosses an unrelated one.

        Wires of fine features are excluded: they are drawn differently.
        """
        pieces = [
            sorted(pair)
            for wire in self.wires
            if not wire.is_fine
            for pair in itertools.pairwise(wire.points)
        ]
        level = [(start, end) for start, end in pieces if start[1] == end[1]]
        upright = [(start, end) for start, end in pieces if start[0] == end[0]]
        return tuple(
            (top[0], left[1])
            for (left, right), (top, bottom) in itertools.product(level, upright)
            if left[0] < top[0] < right[0] and top[1] < left[1] < bottom[1]
        )

    def row_at(self, y: float) -> Row:
        """Row at vertical position `y`."""
        return next(row for row in self.rows if row.top <= y <= row.top + row.height)


def chain_picture(
    stages: Sequence[Stage], image_height: int, width: float, serving: bool = False
) -> Picture:
    """Lays the stages of a network out from left to right, each in the row of its scale.

    Args:
        stages: Stages of the network; those only used in training are left out.
        image_height: Image height for which the stages were computed, in pixels.
        width: Width of the picture, in pixels.
        serving: Whether to add a box for the steps around the network.
    """
    steps = [(stage.name, stage.keys) for stage in stages if not stage.training_only]
    scales, scale = [], 1
    for _, keys in steps:
        scale = image_height // keys[0].height if keys else scale
        scales.append(scale)
    operations = list(dict.fromkeys(_operation(keys) for _, keys in steps))
    if serving:
        steps.append((SERVING, ()))
        scales.append(scales[-1])
    rows, top = {}, float(TOP)
    for each in sorted(set(scales)):
        rows[each] = Row(each, top, _ROW)
        top += _ROW
    pitch = min(_WIDEST_COLUMN, (width - _LEFT - _RIGHT) / len(steps))
    boxes = []
    for column, ((name, keys), each) in enumerate(zip(steps, scales, strict=True)):
        center = _LEFT + (column + 0.5) * pitch, rows[each].top + _ROW / 2
        kind = SERVING if name == SERVING else _operation(keys)
        filters = keys[-1].out_filters if keys else None
        stride = max((key.stride for key in keys), default=1)
        boxes.append(Box(name, kind, center, 0.8 * pitch, _BOX, filters, stride))
    wires = []
    for before, after in itertools.pairwise(boxes):
        turn = (before.right[0] + after.left[0]) / 2
        corners = (before.right, (turn, before.center[1]), (turn, after.center[1]), after.left)
        level = before.center[1] == after.center[1]
        wires.append(Wire((before.right, after.left) if level else corners))
    kinds = {
        name: BoxKind(tuple(name.split("_")), _COLORS[index % len(_COLORS)], name)
        for index, name in enumerate(operations)
    }
    kinds[SERVING] = BoxKind(("in,", "out"), "#d0d7de", "in, out: from bytes, to class ids")
    return Picture(top + _BOTTOM, tuple(rows.values()), tuple(boxes), tuple(wires), kinds)


def _operation(keys: Sequence[OpKey]) -> str:
    return keys[0].operation if keys else "identity"
