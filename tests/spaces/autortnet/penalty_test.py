"""Expected latency against the rows of derived networks."""

import itertools

import numpy as np
import pytest

from keras_fasterseg.spaces.autortnet.choices import group_shapes
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.space import AutoRTNetSpace
from keras_fasterseg.spaces.cost import predicted_latency_ms
from tests.run.latency_rows import random_table
from tests.spaces.autortnet.tiny import SETTINGS
from tests.spaces.cells.draws import drawn, one_hot

SIZE, CLASSES = (64, 96), 3


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("settings", [AutoRTNetSettings(), SETTINGS])
def test_one_hot_choices_give_the_latency_of_the_network(settings, share):
    """Also of networks whose last cells are not read, and of nodes without edges."""
    space, generator = AutoRTNetSpace(settings), np.random.default_rng(0)
    table = random_table(space, SIZE, CLASSES)
    penalty = space.penalty(table, CLASSES, 1.0)
    for _ in range(10):
        indexes = drawn(generator, group_shapes(settings), share)
        expected = predicted_latency_ms(space.from_genes(indexes), table, CLASSES)
        choices = one_hot(indexes, group_shapes(settings))
        found = float(penalty.milliseconds(choices))
        # Sums of up to a hundred rows in float32.
        assert found == pytest.approx(expected, rel=1e-5)
        assert float(penalty(choices)) == pytest.approx(np.log(found), abs=1e-6)


@pytest.mark.parametrize("zero", [0.0, 0.7])
def test_expected_latency_is_the_mean_over_networks(zero):
    """Of gates alone: every path, weighted by its probability."""
    settings = AutoRTNetSettings(cells=5, initial_filters=2, decoder_filters=4)
    space, generator = AutoRTNetSpace(settings), np.random.default_rng(0)
    table = random_table(space, SIZE, CLASSES)
    indexes = drawn(generator, group_shapes(settings), zero)
    gates = generator.dirichlet(np.ones(3), 5).astype("float32")
    coarsest = gates[:, [0, 2]] / gates[:, [0, 2]].sum(-1, keepdims=True)
    expected = total = 0.0
    for states in itertools.product(range(3), repeat=5):
        share, level = 1.0, 0
        for index, state in enumerate(states):
            if level == 3:  # nothing reduces
                share *= 0.0 if state == 1 else coarsest[index, state // 2]
            else:
                share *= gates[index, state]
            level += state == 1
        if share:
            path = {"gates": np.array(states), "coarsest": np.array(states) // 2}
            genotype = space.from_genes(indexes | path)
            expected += share * predicted_latency_ms(genotype, table, CLASSES)
            total += share
    assert total == pytest.approx(1.0, rel=1e-5)
    choices = one_hot(indexes, group_shapes(settings)) | {"gates": gates, "coarsest": coarsest}
    found = space.penalty(table, CLASSES, 1.0).milliseconds(choices)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_shares_must_be_the_papers():
    space = AutoRTNetSpace(SETTINGS)
    with pytest.raises(ValueError, match="'code'"):
        space.penalty(random_table(space, SIZE, CLASSES), CLASSES, 1.0, "code")
