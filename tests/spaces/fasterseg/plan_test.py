from keras_fasterseg.spaces.fasterseg.genotype import BranchGenotype, CellGenotype
from keras_fasterseg.spaces.fasterseg.plan import (
    CellPlan,
    FeaturePlan,
    JoinPlan,
    NetworkPlan,
    plan_network,
)
from tests.spaces.fasterseg.one_hot_choices import make_genotype

HALF = 6 / 12

# With F = 6 a node has 48, 96, 192 filters at full width; stem and heads have half of them.
STEM = FeaturePlan("stem", 8, 24)


def test_one_branch_at_an_eighth():
    cell = CellGenotype(2, 8, "conv", 1, HALF)
    plan = plan_network(make_genotype([BranchGenotype(8, (cell,))], HALF))
    output = FeaturePlan("branch_8_cell_00", 8, 24)
    assert plan == NetworkPlan(
        stem=STEM,
        cells=(CellPlan("branch_8_cell_00", (0,), 0, cell, STEM, output),),
        joins=((),),
        outputs=(output,),
        auxiliary={},
    )


def test_two_branches_that_share_their_first_cells():
    keep = CellGenotype(0, 8, "conv", 1, 8 / 12)
    down = CellGenotype(1, 8, "conv_2x", 2, 4 / 12)
    deep = (
        keep,
        down,
        CellGenotype(2, 16, "conv", 1, 1.0),
        CellGenotype(3, 16, "skip", 2, 10 / 12),
        CellGenotype(4, 32, "conv", 1, HALF),
    )
    shallow = (keep, down, CellGenotype(2, 16, "conv", 1, HALF))
    plan = plan_network(
        make_genotype([BranchGenotype(32, deep), BranchGenotype(16, shallow)], HALF)
    )

    # 48 * 8/12, 96 * 4/12, 96, 192 * 10/12, 192 * 6/12 and 96 * 6/12.
    shared = (
        FeaturePlan("branch_32_16_cell_00", 8, 32),
        FeaturePlan("branch_32_16_cell_01", 16, 32),
    )
    own = (
        FeaturePlan("branch_32_cell_02", 16, 96),
        FeaturePlan("branch_32_cell_03", 32, 160),
        FeaturePlan("branch_32_cell_04", 32, 96),
    )
    end = FeaturePlan("branch_16_cell_02", 16, 48)
    assert plan.stem == STEM
    assert plan.cells == (
        CellPlan(shared[0].layer, (0, 1), 0, deep[0], STEM, shared[0]),
        CellPlan(shared[1].layer, (0, 1), 1, deep[1], shared[0], shared[1]),
        CellPlan(own[0].layer, (0,), 2, deep[2], shared[1], own[0]),
        CellPlan(end.layer, (1,), 2, shallow[2], shared[1], end),
        CellPlan(own[1].layer, (0,), 3, deep[3], own[0], own[1]),
        CellPlan(own[2].layer, (0,), 4, deep[4], own[1], own[2]),
    )

    # The decoder reads each scale's last feature; it has the width of the heads.
    to_16 = FeaturePlan("branch_32_fusion_16", 16, 48)
    to_8 = FeaturePlan("branch_32_fusion_8", 8, 24)
    from_16 = FeaturePlan("branch_16_fusion_8", 8, 24)
    assert plan.joins == (
        (
            JoinPlan(to_16.layer, own[2], own[0], to_16),
            JoinPlan(to_8.layer, to_16, shared[0], to_8),
        ),
        (JoinPlan(from_16.layer, end, shared[0], from_16),),
    )
    assert plan.outputs == (to_8, from_16)
    assert plan.auxiliary == {16: (own[0], end), 32: (own[2],)}


def test_a_descent_right_after_the_stem_joins_the_stem():
    cells = (CellGenotype(0, 8, "conv", 2, 1.0), CellGenotype(1, 16, "conv", 1, HALF))
    plan = plan_network(make_genotype([BranchGenotype(16, cells)], HALF))
    (join,) = plan.joins[0]
    assert join.fine == STEM
    assert join.output == FeaturePlan("branch_16_fusion_8", 8, 24)


def test_three_branches_part_one_after_the_other():
    first = CellGenotype(0, 8, "conv", 1, 1.0)
    second = CellGenotype(1, 8, "conv", 2, 1.0)
    branches = [
        BranchGenotype(8, (first, CellGenotype(1, 8, "conv", 1, HALF))),
        BranchGenotype(16, (first, second, CellGenotype(2, 16, "conv", 1, HALF))),
        BranchGenotype(
            32,
            (
                first,
                second,
                CellGenotype(2, 16, "conv", 2, 1.0),
                CellGenotype(3, 32, "conv", 1, HALF),
            ),
        ),
    ]
    plan = plan_network(make_genotype(branches, HALF))
    assert [(cell.name, cell.branches) for cell in plan.cells] == [
        ("branch_8_16_32_cell_00", (0, 1, 2)),
        ("branch_8_cell_01", (0,)),
        ("branch_16_32_cell_01", (1, 2)),
        ("branch_16_cell_02", (1,)),
        ("branch_32_cell_02", (2,)),
        ("branch_32_cell_03", (2,)),
    ]
    assert [feature.layer for feature in plan.outputs] == [
        "branch_8_cell_01",
        "branch_16_fusion_8",
        "branch_32_fusion_8",
    ]
    # The branch to 1/32 leaves 1/16 at once: its last feature there is that of the descent.
    assert [feature.layer for feature in plan.auxiliary[16]] == [
        "branch_16_cell_02",
        "branch_16_32_cell_01",
    ]
