import dataclasses

import numpy as np
import pytest
from keras import ops

from keras_fasterseg.spaces.gas.choices import group_shapes
from keras_fasterseg.spaces.gas.plan import cell_plans, equal_cells
from keras_fasterseg.spaces.gas.settings import GasSettings
from keras_fasterseg.spaces.gas.space import GasSpace
from keras_fasterseg.spaces.gas.supernet import GasSupernet
from tests.spaces.cells.draws import images, randomize
from tests.spaces.gas.tiny import SETTINGS, VARIANTS

DENSE = VARIANTS["dense"]
# JAX scans equal cells: the third and the fourth of four.
SCANNED = dataclasses.replace(SETTINGS, reductions=(0,))


@pytest.mark.parametrize("settings", [SETTINGS, SCANNED, DENSE])
def test_one_hot_choices_compute_the_derived_network(settings):
    assert_equal_networks(settings, 3)


@pytest.mark.backends("tensorflow")  # without a trace it would take minutes
@pytest.mark.parametrize("settings", [GasSettings(), GasSettings(fusion="dense")])
def test_fourteen_cells_compute_the_derived_network(settings):
    assert_equal_networks(settings, 1)


def assert_equal_networks(settings, count):
    space = GasSpace(settings)
    model, generator = space.search_model(5, 0), np.random.default_rng(1)
    randomize(model)
    drawn = [space.random_genotype(generator) for _ in range(count)]
    for genotype in [*drawn, space.largest_genotype()]:
        expected = model.supernet(images(), space.choices_of(genotype))
        found = model.inherited("student", genotype)(images())
        expected, found = map(ops.convert_to_numpy, (expected, found))
        assert np.abs(expected).max() > 0.01
        # The same sums, but in another order on some backends.
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_equal_cells_follow_each_other():
    groups = equal_cells(cell_plans(14, 8, (1, 4, 8)))
    numbers = [[plan.index for plan in group] for group in groups]
    assert numbers == [[0], [1], [2], [3], [4], [5], [6, 7], [8], [9], [10, 11, 12, 13]]


def test_an_empty_fusion_predicts_a_constant():
    model = GasSpace(DENSE).search_model(5, 0)
    choices = {family: np.zeros(shape, "float32") for family, shape in group_shapes(DENSE).items()}
    for rows in choices.values():
        rows[..., 0] = 1
    found = ops.convert_to_numpy(model.supernet(images(), choices))
    assert found.shape == (1, 8, 12, 5)
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1, :1], found.shape))


def test_cells_without_a_fusion_cell_are_those_with_it():
    plain, dense = (GasSpace(each).search_model(5, 0) for each in (SETTINGS, DENSE))
    for name in plain.supernet.mixed.places:
        assert dense.supernet.mixed.places[name] == plain.supernet.mixed.places[name]
    for kind, stack in plain.supernet.stacks.items():
        other = dense.supernet.stacks[kind]
        assert [each.shape for each in stack.variables] == [each.shape for each in other.variables]


def test_the_number_of_traces_is_that_of_shapes_of_cells():
    """Seven of mixed operations; preprocessing adds its own."""

    def kinds(cells):
        return set(GasSupernet(GasSettings(cells=cells), 3).stacks)

    assert kinds(14) == kinds(30) == kinds(11)
    mixed = [kind for kind in kinds(14) if len(kind[-1]) > 1]
    assert len(mixed) == 7
    assert len(kinds(14)) == 17
