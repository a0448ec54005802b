"""Picture layout of a joint network: a chain of blocks, with the decoder at its end.

Columns are the steps of the chain; rows are the scales at which they compute. A pooled block is
therefore one row lower than its neighbours.
"""

import itertools

from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype
from keras_fasterseg.spaces.picture import SERVING, TOP, Box, BoxKind, Picture, Point, Row, Wire

_LEFT, _RIGHT, _BOTTOM = 50, 14, 14
_ROW, _BOX = 84, 64
_WIDEST_COLUMN = 76
# Minimum share of a box's height, so that the text of a narrow block fits.
_LEAST_HEIGHT = 0.8
_DECODER_COLOR, _ENTRY_COLOR = "#cc79a7", "#009e73"
# From light to dark by dilation.
_DILATION_COLORS = ("#cfe8f7", "#9fd0ee", "#56b4e9", "#2b8ac6", "#0072b2", "#00466e")

_DECODER = {
    "average_pool": ("low", 2),
    "low_level": ("low", 4),
    "pyramid": ("pool", 8),
    "fusion": ("fuse", 8),
    "classifier": ("head", 8),
}


def lay_out(genotype: JointGenotype, width: float, serving: bool = False) -> Picture:
    """Lays a network out; see `SearchSpace.picture`."""
    kinds = _entry_kinds() | _block_kinds(genotype) | _decoder_kinds()
    chain = [
        ("stem", 1, 2, genotype.stem_filters),
        ("early_downsampler", 2, 2, genotype.early_filters),
        *_block_steps("early", genotype.early, 4),
        ("late_downsampler", 4, 2, genotype.late_filters),
        *_block_steps("late", genotype.late, 8),
        ("pyramid", 8, 1, genotype.late_filters),
        ("fusion", 8, 1, genotype.late_filters),
        ("classifier", 8, 1, None),
        *([(SERVING, 8, 1, None)] if serving else []),
    ]
    scales = sorted({scale for _, scale, _, _ in chain} | {2, 4})
    rows = {scale: Row(scale, TOP + index * _ROW, _ROW) for index, scale in enumerate(scales)}
    pitch = min(_WIDEST_COLUMN, (width - _LEFT - _RIGHT) / len(chain))
    gap = min(18.0, max(7.0, 0.2 * pitch))

    def box(name: str, column: float, scale: int, stride: int, filters: int | None) -> Box:
        center = _LEFT + (column + 0.5) * pitch, rows[scale].top + _ROW / 2
        height = _BOX * _height(name, genotype)
        kind = name if name in kinds else "downsampler"
        return Box(name, kind, center, pitch - gap, height, filters, stride)

    boxes = {
        name: box(name, column, scale, stride, filters)
        for column, (name, scale, stride, filters) in enumerate(chain)
    }
    wires = [
        _step(before, after, rows) for before, after in itertools.pairwise(list(boxes.values()))
    ]
    column = next(index for index, step in enumerate(chain) if step[0] == "pyramid")
    for name, scale, filters in (
        ("average_pool", 2, genotype.stem_filters),
        ("low_level", 4, genotype.early_filters),
    ):
        boxes[name] = box(name, column, scale, 2, filters)
    wires += _fine_wires(genotype, boxes, gap)
    return Picture(
        TOP + len(scales) * _ROW + _BOTTOM,
        tuple(rows.values()),
        tuple(boxes.values()),
        tuple(wires),
        kinds,
        stem_rows=2,
        notes=("block: dilation, then filters of", "its first and second convolution"),
    )


def _entry_kinds() -> dict[str, BoxKind]:
    meaning = "down: convolution and max-pool of stride 2"
    return {"downsampler": BoxKind(("down",), _ENTRY_COLOR, meaning)}


def _block_kinds(genotype: JointGenotype) -> dict[str, BoxKind]:
    """A kind per block, because each shows its own dilation and filters."""
    blocks = {
        f"{stage}_{index}": block
        for stage, each in (("early", genotype.early), ("late", genotype.late))
        for index, block in enumerate(each)
    }
    dilations = sorted({block.dilation for block in blocks.values()})
    named, kinds = set(), {}
    for name, block in sorted(blocks.items(), key=lambda item: item[1].dilation):
        place = dilations.index(block.dilation) * len(_DILATION_COLORS) // len(dilations)
        meaning = None if block.dilation in named else f"block of dilation {block.dilation}"
        named.add(block.dilation)
        lines = (f"r {block.dilation}", str(block.middle))
        kinds[name] = BoxKind(lines, _DILATION_COLORS[place], meaning)
    return kinds


def _decoder_kinds() -> dict[str, BoxKind]:
    meanings = {
        "pyramid": "pool: pyramid pooling",
        "low_level": "low, fuse, head: decoder",
    }
    kinds = {
        name: BoxKind((text,), _DECODER_COLOR, meanings.get(name))
        for name, (text, _) in _DECODER.items()
    }
    kinds[SERVING] = BoxKind(("in,", "out"), "#d0d7de", "in, out: from bytes, to class ids")
    return kinds


def _block_steps(stage: str, blocks: tuple[JointBlock, ...], scale: int):
    return [
        (f"{stage}_{index}", scale * (1 + block.pooled), 1, block.filters)
        for index, block in enumerate(blocks)
    ]


def _height(name: str, genotype: JointGenotype) -> float:
    stage, _, index = name.partition("_")
    if not index.isdecimal():
        return _LEAST_HEIGHT
    block, largest = getattr(genotype, stage)[int(index)], getattr(genotype, f"{stage}_filters")
    return _LEAST_HEIGHT + (1 - _LEAST_HEIGHT) * block.filters / largest


def _step(before: Box, after: Box, rows: dict[int, Row]) -> Wire:
    if before.center[1] == after.center[1]:
        return Wire((before.right, after.left))
    turn = (before.right[0] + after.left[0]) / 2
    return Wire((before.right, (turn, before.center[1]), (turn, after.center[1]), after.left))


def _fine_wires(genotype: JointGenotype, boxes: dict[str, Box], gap: float) -> list[Wire]:
    """Wires of the stem and of the early blocks to the decoder, and of the decoder's low level."""
    low, pool, fusion = boxes["low_level"], boxes["average_pool"], boxes["fusion"]
    stem, early = boxes["stem"], boxes[f"early_{len(genotype.early) - 1}"]
    turn = (low.right[0] + fusion.left[0]) / 2
    return [
        _fine_wire(stem.right, pool.left, stem.right[0] + gap / 3),
        Wire((pool.bottom, low.top), is_fine=True),
        _fine_wire(early.right, low.left, early.right[0] + gap / 3),
        Wire((low.right, (turn, low.center[1]), (turn, fusion.top[1] - 8), *_into(fusion)), True),
    ]


def _fine_wire(start: Point, end: Point, turn: float) -> Wire:
    """A wire that passes above the boxes of the row in which it ends."""
    above = end[1] - _ROW / 2 + 4
    before = end[0] - 4
    corners = [start, (turn, start[1]), (turn, above), (before, above), (before, end[1]), end]
    return Wire(tuple(corners), is_fine=True)


def _into(box: Box) -> tuple[Point, Point]:
    return (box.top[0], box.top[1] - 8), box.top
