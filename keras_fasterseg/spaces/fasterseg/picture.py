"""Picture layout of a FasterSeg network: positions of its parts, and the wires between them.

Columns are positions of cells along their branches; rows are scales. A scale has one lane for every
branch with boxes there. A shared cell is drawn once, in the first lane among its branches. Wires of
fine features for the decoder run between the lanes.
"""

import itertools

from keras_fasterseg.layers.stem import stem_filters
from keras_fasterseg.spaces.fasterseg.genotype import SCALES, FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.plan import CellPlan, FeaturePlan, JoinPlan, plan_network
from keras_fasterseg.spaces.picture import SERVING, TOP, Box, BoxKind, Picture, Point, Row, Wire

JOIN = "join"
FUSION = "fusion"
HEAD = "head"

_STEM_PITCH = 58
_LEFT, _RIGHT, _BOTTOM = 50, 14, 14
_CHANNEL = 14
_BOX = 64
_LANE = _BOX + _CHANNEL
_STEM_BOX = 48
_WIDEST_COLUMN = 76
# Minimum share of a box's height, so that the text of a narrow node fits.
_LEAST_HEIGHT = 0.62

KINDS = {
    "conv": BoxKind(("conv",), "#56b4e9", "conv: 3x3 convolution"),
    "conv_2x": BoxKind(("conv", "2x"), "#0072b2", "conv 2x: two of them"),
    "conv_downup": BoxKind(("zoom",), "#e69f00", "zoom: conv at half size (conv_downup)"),
    "conv_2x_downup": BoxKind(("zoom", "2x"), "#d55e00", "zoom 2x: two of them (conv_2x_downup)"),
    "skip": BoxKind(("skip",), "#ffffff", "skip: identity, or 1x1 of stride 2"),
    JOIN: BoxKind(("join",), "#009e73", "join: up, concat with finer, 3x3"),
    FUSION: BoxKind(("fuse",), "#cc79a7", "fuse, head: concat, 1x1, classify"),
    HEAD: BoxKind(("head",), "#cc79a7"),
    SERVING: BoxKind(("in,", "out"), "#d0d7de", "in, out: from bytes, to class ids"),
}


def lay_out(genotype: FasterSegGenotype, width: float, serving: bool = False) -> Picture:
    """Lays a network out; see `SearchSpace.picture`."""
    return _Builder(genotype, width, serving).layout()


class _Builder:
    def __init__(self, genotype: FasterSegGenotype, width: float, serving: bool):
        self.plan = plan_network(genotype)
        self.genotype = genotype
        self.serving = serving
        branches = genotype.branches
        # Branches to fine scales are above branches to coarse scales, so that few wires cross.
        order = sorted(range(len(branches)), key=lambda index: branches[index].scale)
        self.rank = {index: rank for rank, index in enumerate(order)}
        self.cells_end = max(len(branch.cells) for branch in branches)
        self.joins_end = self.cells_end + max(len(steps) for steps in self.plan.joins)
        columns = self.joins_end + 2 + serving
        self.pitch = min(_WIDEST_COLUMN, (width - _LEFT - _RIGHT) / columns)
        self.gap = min(18.0, max(9.0, 0.22 * self.pitch))
        self.lanes = self._find_lanes()
        self.rows = self._find_rows()
        self.boxes: dict[str, Box] = {}
        self.columns: dict[str, int] = {}
        self.wires: list[Wire] = []

    def layout(self) -> Picture:
        self._add_stem()
        for cell in self.plan.cells:
            self._add_cell(cell)
        for branch, steps in enumerate(self.plan.joins):
            for step, join in enumerate(steps):
                self._add_join(join, branch, self.cells_end + step)
        self._add_end()
        last = self.rows[max(self.lanes)]
        return Picture(
            last.top + last.height + _BOTTOM,
            tuple(self.rows.values()),
            tuple(self.boxes.values()),
            tuple(self.wires),
            KINDS,
            stem_rows=3,
            notes=("number: filters", "box height: width multiplier"),
        )

    def _find_lanes(self) -> dict[int, dict[int, int]]:
        """Lane of every rank with a box at a scale, by scale."""
        used: dict[int, set[int]] = {}
        for cell in self.plan.cells:
            used.setdefault(cell.cell.scale, set()).add(self._rank_of(cell))
        for branch, steps in enumerate(self.plan.joins):
            for join in steps:
                used.setdefault(join.fine.scale, set()).add(self.rank[branch])
        return {
            scale: {rank: lane for lane, rank in enumerate(sorted(used[scale]))}
            for scale in SCALES
            if scale in used
        }

    def _find_rows(self) -> dict[int, Row]:
        rows, top = {}, float(TOP)
        for scale in (1, 2, 4):
            rows[scale] = Row(scale, top, _STEM_PITCH)
            top += _STEM_PITCH
        for scale, lanes in self.lanes.items():
            rows[scale] = Row(scale, top, len(lanes) * _LANE + _CHANNEL / 2)
            top += rows[scale].height
        return rows

    def _rank_of(self, cell: CellPlan) -> int:
        return min(self.rank[index] for index in cell.branches)

    def _x(self, column: int) -> float:
        return _LEFT + (column + 0.5) * self.pitch

    def _channel_y(self, scale: int, rank: int) -> float:
        """Vertical position of the wires above the boxes of a lane."""
        return self.rows[scale].top + self.lanes[scale][rank] * _LANE + _CHANNEL / 2

    def _lane_y(self, scale: int, rank: int) -> float:
        return self._channel_y(scale, rank) + (_CHANNEL + _BOX) / 2

    def _gap_x(self, column: int, rank: int) -> float:
        """Horizontal position of the turn of a wire, right of a column; separate for each rank."""
        share = (rank + 1) / (len(self.rank) + 1)
        return self._x(column) + (self.pitch - self.gap) / 2 + share * self.gap

    def _add(
        self,
        name: str,
        kind: str,
        column: int,
        y: float,
        height: float,
        filters: int | None,
        stride: int = 1,
    ) -> Box:
        center = (self._x(column), y)
        box = Box(name, kind, center, self.pitch - self.gap, height, filters, stride)
        self.boxes[name] = box
        self.columns[name] = column
        return box

    def _add_stem(self) -> None:
        filters = stem_filters(self.genotype.base_filters, self.genotype.stem_width)
        kinds = ("conv", "conv_2x", "conv_2x")
        before = None
        for index, (scale, kind) in enumerate(zip((1, 2, 4), kinds, strict=True)):
            y = self.rows[scale].top + _STEM_PITCH / 2
            box = self._add(f"stem.{index}", kind, 0, y, _STEM_BOX, filters[index], 2)
            if before is not None:
                self.wires.append(Wire((before.bottom, box.top)))
            before = box

    def _add_cell(self, plan: CellPlan) -> None:
        rank, cell = self._rank_of(plan), plan.cell
        y = self._lane_y(cell.scale, rank)
        box = self._add(
            plan.name,
            cell.primitive,
            plan.position,
            y,
            _height(cell.width),
            plan.output.filters,
            cell.stride,
        )
        if plan.source == self.plan.stem:
            self._wire_from_stem(box, rank)
            return
        source = self.boxes[plan.source.layer]
        turn = self._gap_x(plan.position - 1, rank)
        self._wire(source.right, (turn, source.center[1]), (turn, y), box.left)

    def _wire_from_stem(self, box: Box, rank: int) -> None:
        start = self.boxes["stem.2"].bottom
        if self.lanes[SCALES[0]][rank] == 0:
            self._wire(start, box.top)
            return
        y = self._channel_y(SCALES[0], min(self.lanes[SCALES[0]]))
        turn = self._gap_x(-1, rank)
        self._wire(start, (start[0], y), (turn, y), (turn, box.center[1]), box.left)

    def _add_join(self, join: JoinPlan, branch: int, column: int) -> None:
        rank, scale = self.rank[branch], join.fine.scale
        box = self._add(
            join.name,
            JOIN,
            column,
            self._lane_y(scale, rank),
            _height(self.genotype.head_width),
            join.output.filters,
        )
        coarse = self.boxes[join.coarse.layer]
        self._wire(coarse.right, (box.center[0], coarse.center[1]), box.bottom)
        self._add_fine_wire(join.fine, box, rank, scale)

    def _add_fine_wire(self, feature: FeaturePlan, box: Box, rank: int, scale: int) -> None:
        channel = self._channel_y(scale, rank)
        if feature == self.plan.stem:
            start = self.boxes["stem.2"].bottom
            y = self._channel_y(scale, min(self.lanes[scale]))
            corners = [start, (start[0], y)]
            turn = self._gap_x(0, rank)
        else:
            source = self.boxes[feature.layer]
            y = source.center[1]
            corners = [source.right]
            turn = self._gap_x(self.columns[feature.layer], rank)
        corners += [(turn, y), (turn, channel), (box.center[0], channel), box.top]
        self.wires.append(Wire(_without_repeats(corners), is_fine=True))

    def _add_end(self) -> None:
        outputs = [self.boxes[feature.layer] for feature in self.plan.outputs]
        y = sum(box.center[1] for box in outputs) / len(outputs)
        height = _height(self.genotype.head_width)
        filters = sum(feature.filters for feature in self.plan.outputs)
        fusion = self._add(FUSION, FUSION, self.joins_end, y, height, filters)
        turn = fusion.left[0] - self.gap / 2
        for box in outputs:
            self._wire(box.right, (turn, box.center[1]), (turn, y), fusion.left)
        ends = [fusion, self._add(HEAD, HEAD, self.joins_end + 1, y, height, None)]
        if self.serving:
            ends.append(self._add(SERVING, SERVING, self.joins_end + 2, y, height, None))
        for before, after in itertools.pairwise(ends):
            self._wire(before.right, after.left)

    def _wire(self, *corners: Point) -> None:
        self.wires.append(Wire(_without_repeats(list(corners))))


def _height(width_multiplier: float) -> float:
    return _BOX * (_LEAST_HEIGHT + (1 - _LEAST_HEIGHT) * width_multiplier)


def _without_repeats(corners: list[Point]) -> tuple[Point, ...]:
    """Removes repeated corners and corners on straight lines."""
    kept = corners[:1]
    for point in corners[1:]:
        if point != kept[-1]:
            kept.append(point)
    inner = [
        point
        for before, point, after in zip(kept, kept[1:], kept[2:], strict=False)
        if not (before[0] == point[0] == after[0] or before[1] == point[1] == after[1])
    ]
    return (kept[0], *inner, kept[-1])
