import dataclasses

import numpy as np
import pytest

from keras_fasterseg.latency.operations import build_operation, rows_of, total_work
from keras_fasterseg.setting import check_settings
from keras_fasterseg.spaces.joint.settings import JointSettings
from keras_fasterseg.spaces.joint.space import JointSpace
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.spaces.joint.tiny import SETTINGS

SIZE, CLASSES = (64, 96), 3


def rows(stage):
    return [row for key in stage.keys for row in rows_of(key)]


@pytest.fixture
def draws():
    """Many random genotypes of the tiny space."""
    generator = np.random.default_rng(0)
    return [JointSpace(SETTINGS).random_genotype(generator) for _ in range(300)]


def test_random_genotypes_have_all_choices_and_no_others(draws):
    assert {len(each.early) for each in draws} == {len(each.late) for each in draws} == {1, 2}
    for stage, widths in (("early", {8, 4}), ("late", {16, 12})):
        blocks = [block for each in draws for block in getattr(each, stage)]
        assert {block.dilation for block in blocks} == {1, 2}
        assert {block.pooled for block in blocks} == {False, True}
        assert {block.middle for block in blocks} == {block.filters for block in blocks} == widths
        # 450 blocks on average: five standard deviations of a share of 1/2 are .12.
        for choice in ("pooled", "dilation", "middle", "filters"):
            values = [getattr(block, choice) for block in blocks]
            assert values.count(min(values)) / len(values) == pytest.approx(0.5, abs=0.13)
    shares = np.mean([len(each.early) == 1 for each in draws])
    # 300 draws: five standard deviations of a share of 1/2 are .144.
    assert shares == pytest.approx(0.5, abs=0.145)


def test_random_genotypes_run_required_operations(draws):
    space = JointSpace(SETTINGS)
    required = set(space.required_keys(SIZE, CLASSES))
    for genotype in [*draws[:50], space.largest_genotype(STUDENT)]:
        for stage in space.stages(genotype, SIZE, CLASSES):
            assert stage.training_only or required.issuperset(rows(stage))


def test_without_a_choice_of_depth_all_blocks_are_kept():
    space = JointSpace(dataclasses.replace(SETTINGS, choose_depth=False))
    genotype = space.random_genotype(np.random.default_rng(0))
    assert (len(genotype.early), len(genotype.late)) == (2, 2)


def test_equal_generators_draw_equal_networks():
    space = JointSpace(SETTINGS)
    first, second = (space.random_genotype(np.random.default_rng(3)) for _ in range(2))
    assert first == second


def test_largest_genotype():
    space = JointSpace()
    genotype = space.largest_genotype(TEACHER)
    assert genotype == space.largest_genotype()
    assert [block.dilation for block in genotype.early] == [1] * 8
    assert [block.dilation for block in genotype.late] == [1, 2, 4, 8, 16] * 2 + [1, 2]
    assert {(b.pooled, b.middle, b.filters) for b in genotype.early} == {(False, 64, 64)}
    assert {(b.pooled, b.middle, b.filters) for b in genotype.late} == {(False, 128, 128)}


def test_no_random_genotype_is_larger_than_the_largest(draws):
    space = JointSpace(SETTINGS)

    def macs(genotype):
        stages = space.stages(genotype, SIZE, CLASSES)
        return total_work(key for stage in stages for key in stage.keys).macs

    assert max(map(macs, draws)) <= macs(space.largest_genotype())


def test_defaults_are_the_published_space():
    settings = JointSettings()
    assert settings.widths(64) == tuple(range(64, 31, -4))
    assert JointSpace().settings == settings
    # Ten operations of 8 + 12 blocks, three downsamplers and the classifier.
    assert len(JointSpace().supernet_keys((512, 1024), 19)) == 204


def test_a_latency_table_serves_every_objective():
    paper = JointSettings(cost="flops", operation_regularization=0.0, early_dropout=0.0)
    assert JointSpace(paper).operations_record() == JointSpace().operations_record()
    assert JointSpace(paper).record() != JointSpace().record()
    fewer = JointSpace(JointSettings(early_blocks=2, late_blocks=3))
    assert fewer.operations_record() == JointSpace().operations_record()
    for changes in ({"early_filters": 48}, {"dilations": (1, 2)}, {"filter_choices": 2}):
        other = JointSpace(JointSettings(**changes))
        assert other.operations_record() != JointSpace().operations_record()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dilations": (1, 100)}, "Each number of --joint_dilations .* --joint_dilations=1,100"),
        ({"dilations": (2, 1)}, "--joint_dilations must be ascending"),
        ({"filter_choices": 2_000_000_000}, "--joint_filter_choices must be at least 1"),
        ({"filter_choices": 20}, "would be -12; lower --joint_filter_choices"),
        ({"early_filters": 200}, "must be ascending. Received: 16, 200, 128"),
    ],
)
def test_settings_that_contradict_one_another(changes, message):
    with pytest.raises(ValueError, match=message):
        check_settings(JointSettings(**changes), "--joint_")


@pytest.mark.parametrize("filters", [(16, 20, 32), (16, 60, 64), (20, 32, 48), (15, 50, 70)])
def test_every_measured_operation_can_be_built(filters):
    stem, early, late = filters
    settings = JointSettings(
        early_blocks=1, late_blocks=1, stem_filters=stem, early_filters=early, late_filters=late,
        filter_choices=2, dilations=(1,),
    )  # fmt: skip
    space = JointSpace(settings)
    for key in space.measured_keys((32, 32), 3):
        if key.operation != "serving":
            build_operation(key)
