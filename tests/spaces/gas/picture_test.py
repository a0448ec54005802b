"""Pictures of GAS-style networks."""

import itertools

import numpy as np
import pytest

from keras_fasterseg.spaces.gas.picture import lay_out
from keras_fasterseg.spaces.gas.settings import GasSettings
from keras_fasterseg.spaces.gas.space import GasSpace
from keras_fasterseg.spaces.picture import SERVING

WIDTH = 1000


@pytest.fixture(scope="module", params=["aspp", "dense"])
def space(request):
    return GasSpace(GasSettings(fusion=request.param))


@pytest.fixture(scope="module")
def genotype(space):
    return space.random_genotype(np.random.default_rng(4))


def test_every_stage_of_the_deployed_network_has_a_box(space, genotype):
    stages = space.stages(genotype, (64, 64), 19)
    names = {stage.name for stage in stages if not stage.training_only}
    assert {box.name for box in lay_out(genotype, WIDTH).boxes} == names
    assert {box.name for box in lay_out(genotype, WIDTH, serving=True).boxes} == names | {SERVING}


def test_boxes_and_graphs_are_inside_their_rows_and_apart(space, genotype):
    picture = lay_out(genotype, WIDTH, serving=True)
    for box in picture.boxes:
        assert 0 < box.left[0] < box.right[0] < WIDTH
        row = picture.row_at(box.center[1])
        assert row.top < box.top[1] < box.bottom[1] < row.top + row.height
    for one, other in itertools.combinations(picture.boxes, 2):
        apart = abs(one.center[0] - other.center[0]) > (one.width + other.width) / 2
        assert apart or abs(one.center[1] - other.center[1]) > (one.height + other.height) / 2
    for x, y in (point for stroke in picture.strokes for point in stroke.points):
        (box,) = (b for b in picture.boxes if b.left[0] - 1e-6 <= x <= b.right[0] + 1e-6)
        row = picture.row_at(box.center[1])
        assert row.top < y < box.top[1]
    assert picture.rows[-1].top + picture.rows[-1].height < picture.height


def test_every_operation_is_a_line_of_its_kind(genotype):
    picture = lay_out(genotype, WIDTH)
    operations = [
        name
        for graph in (
            *(genotype.cells[plan.index] for plan in genotype.live_cells),
            genotype.fusion,
        )
        for name in graph
        if name != "zero"
    ]
    assert sorted(stroke.kind for stroke in picture.strokes) == sorted(operations)
    assert all(picture.kinds[name].meaning for name in operations)


def test_rows_are_the_scales_of_outputs(genotype):
    picture = lay_out(genotype, WIDTH)
    scales = {box.name: picture.row_at(box.center[1]).scale for box in picture.boxes}
    assert scales["stem_0"] == 1
    for plan in genotype.live_cells:
        assert scales[plan.name] == plan.scale
    assert scales["classifier"] == (8 if genotype.fusion else 16)


def test_lines_reach_every_box_but_the_first(genotype):
    picture = lay_out(genotype, WIDTH)
    ends = {wire.points[-1] for wire in picture.wires}
    assert ends == {box.left for box in picture.boxes if box.name != "stem_0"}
