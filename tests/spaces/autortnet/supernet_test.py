import numpy as np
import pytest
from keras import ops

from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.space import AutoRTNetSpace
from tests.spaces.autortnet.tiny import SETTINGS
from tests.spaces.cells.draws import images, randomize


def assert_equal_networks(settings, count):
    space = AutoRTNetSpace(settings)
    model, generator = space.search_model(5, 0), np.random.default_rng(1)
    randomize(model)
    drawn = [space.random_genotype(generator) for _ in range(count)]
    levels = set()
    for genotype in [*drawn, space.largest_genotype()]:
        choices = space.choices_of(genotype)
        assert space.derive(choices) == genotype
        expected = model.supernet(images(), choices)
        found = model.inherited("student", genotype)(images())
        expected, found = map(ops.convert_to_numpy, (expected, found))
        # The same sums, but in another order on some backends.
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
        levels.add(genotype.level)
    return levels


def test_one_hot_choices_compute_the_derived_network():
    assert assert_equal_networks(SETTINGS, 12) == {0, 1, 2, 3}


@pytest.mark.parametrize("cells", [1, 2, 3])
def test_few_hyper_cells_compute_the_derived_network(cells):
    """They do not reach all levels."""
    settings = AutoRTNetSettings(cells=cells, initial_filters=2, decoder_filters=4)
    assert max(assert_equal_networks(settings, 3)) <= cells


@pytest.mark.backends("tensorflow")  # without a trace it would take minutes
def test_twelve_hyper_cells_compute_the_derived_network():
    assert_equal_networks(AutoRTNetSettings(), 1)


def test_nothing_but_skips_is_stem_and_head():
    space = AutoRTNetSpace(SETTINGS)
    indexes = {name: np.zeros(len(sizes), int) for name, sizes in space.genes().items()}
    indexes["gates"][:] = 2
    genotype = space.from_genes(indexes)
    assert genotype.cells == genotype.aggregation == ()
    names = [layer.name for layer in space.build(genotype, 5).layers if layer.weights]
    assert names == ["stem_0", "stem_1", "stem_2", "aggregation_input_0", "classifier"]
