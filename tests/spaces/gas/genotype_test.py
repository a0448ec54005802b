import dataclasses

import pytest

from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.plan import STEM, cell_plans
from keras_fasterseg.spaces.gas.space import GasSpace
from tests.spaces.gas.tiny import SETTINGS

ALL_CONV = ("conv",) * 5
ONLY_LAST_INPUT = ("zero", "skip", "zero", "skip", "zero")
ONLY_FIRST_INPUT = ("skip", "zero", "skip", "zero", "zero")


def genotype(*cells, fusion=()):
    return GasGenotype("gas", 2, (0, 1, 3), 4, cells, fusion)


def test_plans_are_those_of_the_paper_and_ours():
    plans = cell_plans(14, 8, (1, 4, 8))
    assert [plan.filters for plan in plans] == [8, *[16] * 3, *[32] * 4, *[64] * 6]
    assert [plan.scale for plan in plans] == [2, *[4] * 3, *[8] * 4, *[16] * 6]
    first, reduction, after = plans[:3]
    assert [each.source for each in first.inputs] == [STEM, STEM]
    assert [(each.source, each.channels, each.strides) for each in reduction.inputs] == [
        (STEM, 16, 1),
        (0, 16, 1),
    ]
    assert [(each.source, each.channels, each.strides) for each in after.inputs] == [
        (0, 16, 2),
        (1, 32, 1),
    ]
    assert [reduction.edge_strides(edge) for edge in range(5)] == [2, 2, 2, 2, 1]
    assert [after.edge_strides(edge) for edge in range(5)] == [1] * 5


def test_cells_that_nothing_reads_are_left_out():
    found = genotype(ALL_CONV, ALL_CONV, ONLY_FIRST_INPUT, ONLY_FIRST_INPUT)
    # The last cell reads cell 1; that reads the stem and cell 0.
    assert [plan.index for plan in found.live_cells] == [0, 1, 3]
    assert found.summary()["live_cells"] == 3
    found = genotype(ALL_CONV, ALL_CONV, ONLY_LAST_INPUT, ONLY_LAST_INPUT)
    assert [plan.index for plan in found.live_cells] == [0, 1, 2, 3]


def test_a_fusion_cell_reads_the_last_cells_of_three_scales():
    only_finest = tuple("skip" if edge in (0, 3, 7) else "zero" for edge in range(12))
    cells = (ALL_CONV,) * 4
    found = genotype(*cells, fusion=only_finest)
    assert {number: plan.index for number, plan in found.fused.items()} == {0: 0}
    assert [plan.index for plan in found.live_cells] == [0]
    found = genotype(*cells, fusion=("conv",) * 12)
    assert {number: plan.index for number, plan in found.fused.items()} == {0: 0, 1: 2, 2: 3}
    assert found.summary()["fusion_operations"] == {"conv": 12}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "joint"}, "space must be 'gas'"),
        ({"initial_filters": 3}, "initial_filters must be even"),
        ({"initial_filters": 10**9}, "at most 4096"),
        ({"reductions": (1, 0)}, "ascending"),
        ({"reductions": (7,)}, "at most 3"),
        ({"cells": ()}, "1 to 64 cells"),
        ({"cells": (ALL_CONV[:4],)}, "a reduction must be at most 0"),
        ({"cells": (ALL_CONV,) * 3 + (ALL_CONV[:4],)}, r"cells\[3\] must have 5 operations"),
        ({"cells": (ALL_CONV,) * 3 + (("zero",) * 5,)}, "Every node of cells"),
        ({"cells": (ALL_CONV,) * 3 + (("conv_1x1",) * 5,)}, "Received: 'conv_1x1'"),
        ({"fusion": ("conv",) * 11}, "fusion must have 12"),
        ({"reductions": (0,), "fusion": ("conv",) * 12}, "needs three reductions"),
    ],
)
def test_impossible_networks_are_refused(changes, message):
    valid = genotype(*(ALL_CONV,) * 4)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(valid, **changes)


@pytest.mark.backends("tensorflow", "jax")
def test_settings_of_other_networks_are_refused():
    model = GasSpace(SETTINGS).search_model(3, 0)
    with pytest.raises(ValueError, match="The supernet has"):
        model.inherited("student", genotype(*(ALL_CONV,) * 5))
