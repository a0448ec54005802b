"""Pictures of joint networks."""

import itertools

import pytest

from keras_fasterseg.spaces.joint.picture import lay_out
from keras_fasterseg.spaces.joint.space import JointSpace
from keras_fasterseg.spaces.picture import SERVING
from keras_fasterseg.spaces.registry import load_preset

WIDTH = 1000


@pytest.fixture(
    scope="module", params=[load_preset("joint_published"), JointSpace().largest_genotype()]
)
def genotype(request):
    return request.param


def test_every_stage_of_the_deployed_network_has_a_box(genotype):
    stages = JointSpace().stages(genotype, (64, 64), 19)
    names = {stage.name for stage in stages if not stage.training_only}
    assert {box.name for box in lay_out(genotype, WIDTH).boxes} == names
    assert {box.name for box in lay_out(genotype, WIDTH, serving=True).boxes} == names | {SERVING}


def test_boxes_are_inside_their_rows_and_apart(genotype):
    picture = lay_out(genotype, WIDTH, serving=True)
    for box in picture.boxes:
        assert 0 < box.left[0] < box.right[0] < WIDTH
        row = picture.row_at(box.center[1])
        assert row.top < box.top[1] < box.bottom[1] < row.top + row.height
    for one, other in itertools.combinations(picture.boxes, 2):
        apart = abs(one.center[0] - other.center[0]) > (one.width + other.width) / 2
        assert apart or abs(one.center[1] - other.center[1]) > (one.height + other.height) / 2
    assert picture.rows[-1].top + picture.rows[-1].height < picture.height


def test_blocks_are_at_the_scale_of_their_convolutions_and_show_their_sizes():
    genotype = load_preset("joint_published")
    picture = lay_out(genotype, WIDTH)
    boxes = {box.name: box for box in picture.boxes}
    scales = {name: picture.row_at(box.center[1]).scale for name, box in boxes.items()}
    assert scales["early_0"] == 4
    # The fifth and the last block are pooled.
    assert [scales[f"late_{index}"] for index in range(9)] == [16, *[8] * 7, 16]
    assert picture.kinds[boxes["late_0"].kind].lines == ("r 4", "112")
    assert boxes["late_0"].filters == 124
    assert boxes["early_3"].height < boxes["early_0"].height


def test_the_legend_names_every_dilation_once():
    kinds = lay_out(load_preset("joint_published"), WIDTH).kinds.values()
    found = [kind.meaning for kind in kinds if kind.meaning and "dilation" in kind.meaning]
    assert found == [f"block of dilation {dilation}" for dilation in (1, 2, 4, 8, 16)]


def test_lines_of_fine_features_reach_the_decoder(genotype):
    picture = lay_out(genotype, WIDTH)
    boxes = {box.name: box for box in picture.boxes}
    ends = {wire.points[-1] for wire in picture.wires if wire.is_fine}
    assert ends == {
        boxes["average_pool"].left,
        boxes["low_level"].left,
        boxes["low_level"].top,
        boxes["fusion"].top,
    }
