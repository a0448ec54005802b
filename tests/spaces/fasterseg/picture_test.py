"""Layout of a network's picture: positions of its parts, and wires between them."""

import itertools

import pytest

from keras_fasterseg.spaces.fasterseg.genotype import (
    SCALES,
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.picture import FUSION, HEAD, lay_out
from keras_fasterseg.spaces.fasterseg.plan import plan_network
from keras_fasterseg.spaces.picture import SERVING
from keras_fasterseg.spaces.registry import load_preset
from keras_fasterseg.visualization.card import WIDTH
from tests.visualization.three_branches import three_branches

NETWORKS = {
    "student": load_preset("fasterseg_student"),
    "teacher": load_preset("fasterseg_teacher"),
    "three branches": three_branches(),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return NETWORKS[request.param]


def boxes_by_name(layout):
    return {box.name: box for box in layout.boxes}


def scale_of(layout, box):
    """The scale of the row that a box stands in."""
    (row,) = (
        row
        for row in layout.rows
        if row.top <= box.top[1] and box.bottom[1] <= row.top + row.height
    )
    return row.scale


def path(layout, branch):
    """The scales of the rows in which the cells of a branch stand, from left to right."""
    cells = [
        box
        for box in layout.boxes
        if "_cell_" in box.name and str(branch) in box.name.partition("_cell")[0].split("_")
    ]
    cells.sort(key=lambda box: box.center[0])
    return [SCALES.index(scale_of(layout, box)) for box in cells]


def test_the_published_student():
    layout = lay_out(NETWORKS["student"], WIDTH)
    # The golden paths of the published student.
    assert path(layout, 32) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert path(layout, 16) == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    # 10 and 9 cells, of which the first three are shared; three steps of the stem, two joins of
    # the branch at 1/32 and one of the other, fusion and head.
    kinds = [box.kind for box in layout.boxes]
    assert len(kinds) == 10 + 9 - 3 + 3 + 3 + 2
    boxes = boxes_by_name(layout)
    assert {name for name in boxes if "32_16" in name} == {
        f"branch_32_16_cell_{position:02d}" for position in range(3)
    }
    assert [row.scale for row in layout.rows] == [1, 2, 4, 8, 16, 32]
    assert [scale_of(layout, boxes[f"stem.{index}"]) for index in range(3)] == [1, 2, 4]
    # 8 and 12 twelfths of 32 * 12 and 16 * 12 filters; the decoder's have the head's width.
    assert boxes["branch_32_cell_09"].filters == 256
    assert boxes["branch_16_cell_07"].filters == 192
    assert boxes["branch_32_fusion_16"].filters == 128
    assert boxes["branch_32_fusion_8"].filters == 64
    assert boxes[FUSION].filters == 128
    assert boxes[HEAD].filters is None
    assert boxes["branch_32_cell_03"].stride == 2


def test_a_wider_node_is_a_higher_box():
    boxes = boxes_by_name(lay_out(NETWORKS["student"], WIDTH))
    # 4, 8 and 12 twelfths.
    narrow, middle, wide = (
        boxes[name].height
        for name in ("branch_32_cell_08", "branch_32_cell_09", "branch_16_cell_07")
    )
    assert wide - middle == pytest.approx(middle - narrow)
    assert wide > middle


def test_what_surrounds_the_network_is_drawn_on_demand():
    assert SERVING not in boxes_by_name(lay_out(NETWORKS["student"], WIDTH))
    boxes = boxes_by_name(lay_out(NETWORKS["student"], WIDTH, serving=True))
    assert boxes[SERVING].left[0] > boxes[HEAD].right[0]


def test_every_layer_stands_in_the_picture_once(network):
    layout = lay_out(network, WIDTH, serving=True)
    names = [box.name for box in layout.boxes]
    plan = plan_network(network)
    expected = [cell.name for cell in plan.cells]
    expected += [join.name for steps in plan.joins for join in steps]
    expected += ["stem.0", "stem.1", "stem.2", FUSION, HEAD, SERVING]
    assert sorted(names) == sorted(expected)
    for cell in plan.cells:
        assert scale_of(layout, boxes_by_name(layout)[cell.name]) == cell.cell.scale


def test_boxes_stand_apart_and_inside(network):
    layout = lay_out(network, WIDTH, serving=True)
    for box in layout.boxes:
        assert box.left[0] > 0
        assert box.right[0] < WIDTH
        assert box.bottom[1] < layout.height
    for one, other in itertools.combinations(layout.boxes, 2):
        apart = [
            abs(a - b) - (size + other_size) / 2
            for a, b, size, other_size in zip(
                one.center,
                other.center,
                (one.width, one.height),
                (other.width, other.height),
                strict=True,
            )
        ]
        assert max(apart) >= 6, (one.name, other.name)


def test_no_wire_runs_over_a_box(network):
    layout = lay_out(network, WIDTH, serving=True)
    for wire, box in itertools.product(layout.wires, layout.boxes):
        for start, end in itertools.pairwise(wire.points):
            # Wires are of horizontal and vertical pieces, and end where a box begins.
            assert start[0] == pytest.approx(end[0]) or start[1] == pytest.approx(end[1])
            low = [min(pair) for pair in zip(start, end, strict=True)]
            high = [max(pair) for pair in zip(start, end, strict=True)]
            inside = (
                low[0] < box.right[0] - 0.01
                and high[0] > box.left[0] + 0.01
                and low[1] < box.bottom[1] - 0.01
                and high[1] > box.top[1] + 0.01
            )
            assert not inside, (wire, box)


def test_every_reading_has_its_wire(network):
    """From the side of what makes a feature to the side of what reads it."""
    layout = lay_out(network, WIDTH)
    boxes = boxes_by_name(layout)
    boxes["stem"] = boxes["stem.2"]
    joined = {
        (_box_at(boxes, wire.points[0]), _box_at(boxes, wire.points[-1]), wire.is_fine)
        for wire in layout.wires
    }
    plan = plan_network(network)
    expected = {(cell.source.layer, cell.name, False) for cell in plan.cells}
    for join in (join for steps in plan.joins for join in steps):
        expected |= {(join.coarse.layer, join.name, False), (join.fine.layer, join.name, True)}
    expected |= {(feature.layer, FUSION, False) for feature in plan.outputs}
    expected |= {(FUSION, HEAD, False), ("stem.0", "stem.1", False), ("stem.1", "stem", False)}
    assert joined == expected


def _box_at(boxes, point):
    """The name of the box with a side's middle there."""
    sides = {
        name: (box.left, box.right, box.top, box.bottom)
        for name, box in boxes.items()
        if name != "stem.2"
    }
    (found,) = (name for name, points in sides.items() if point in points)
    return found


def test_wires_cross_where_one_goes_down_past_another():
    conv = ("conv", 1)
    down = ("conv", 2)
    fine = branch(conv, down, conv, conv)
    deep = branch(conv, ("conv_2x", 1), down, down, conv)
    layout = lay_out(FasterSegGenotype("fasterseg", 12, 16, 1.0, 1.0, (deep, fine)), WIDTH)
    boxes = boxes_by_name(layout)
    # The finer goes down across the other's way at 1/8, and that one across its way at 1/16.
    crossed = [
        ("branch_32_cell_01", "branch_32_cell_02", 8),
        ("branch_16_cell_02", "branch_16_cell_03", 16),
    ]
    assert len(layout.crossings) == len(crossed)
    for (x, y), (before, after, scale) in zip(sorted(layout.crossings), crossed, strict=True):
        assert boxes[before].right[0] < x < boxes[after].left[0]
        assert y == boxes[before].center[1]
        assert layout.row_at(y).scale == scale
    assert not lay_out(NETWORKS["student"], WIDTH).crossings


def branch(*kinds):
    """A branch of cells of these primitives and strides, all of the largest width."""
    scale, cells = 8, []
    for layer, (kind, stride) in enumerate(kinds):
        cells.append(CellGenotype(layer, scale, kind, stride, 1.0))
        scale *= stride
    return BranchGenotype(scale, tuple(cells))
