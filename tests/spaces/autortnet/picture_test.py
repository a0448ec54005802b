"""Pictures of AutoRTNet-style networks."""

import itertools

import numpy as np
import pytest

from keras_fasterseg.spaces.autortnet.picture import lay_out
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.space import AutoRTNetSpace
from keras_fasterseg.spaces.autortnet.trellis import SCALES
from keras_fasterseg.spaces.picture import SERVING

WIDTH = 1000
SPACE = AutoRTNetSpace(AutoRTNetSettings())


def random_genotype(seed):
    return SPACE.random_genotype(np.random.default_rng(seed))


@pytest.fixture(params=[None, *range(6)])
def genotype(request):
    return SPACE.largest_genotype() if request.param is None else random_genotype(request.param)


def test_every_stage_of_the_deployed_network_has_a_box(genotype):
    stages = SPACE.stages(genotype, (64, 64), 19)
    names = {stage.name for stage in stages if not stage.training_only}
    assert {box.name for box in lay_out(genotype, WIDTH).boxes} == names
    assert {box.name for box in lay_out(genotype, WIDTH, serving=True).boxes} == names | {SERVING}


def test_rows_are_the_resolutions_of_the_path(genotype):
    picture = lay_out(genotype, WIDTH)
    scales = {box.name: picture.row_at(box.center[1]).scale for box in picture.boxes}
    for cell, shape in genotype.live_cells:
        assert scales[cell.name] == SCALES[shape.output_level]
    path = [scales[cell.name] for cell, _ in genotype.live_cells]
    assert all(one <= other for one, other in itertools.pairwise(path))


def test_every_operation_is_a_line_of_its_kind(genotype):
    picture = lay_out(genotype, WIDTH)
    graphs = (*(cell.operations for cell, _ in genotype.live_cells), genotype.aggregation)
    operations = [name for graph in graphs for name in graph if name != "zero"]
    assert sorted(stroke.kind for stroke in picture.strokes) == sorted(operations)
    assert all(picture.kinds[name].meaning for name in operations)


def test_lines_reach_every_box_but_the_first(genotype):
    picture = lay_out(genotype, WIDTH)
    ends = {wire.points[-1] for wire in picture.wires}
    assert ends == {box.left for box in picture.boxes if box.name != "stem_0"}
