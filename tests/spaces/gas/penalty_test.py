"""Expected latency against the rows of derived networks."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.cost import predicted_latency_ms
from keras_fasterseg.spaces.gas.choices import group_shapes
from keras_fasterseg.spaces.gas.settings import GasSettings
from keras_fasterseg.spaces.gas.space import GasSpace
from tests.conformance.architectures import gradients
from tests.run.latency_rows import random_table
from tests.spaces.cells.draws import drawn, one_hot
from tests.spaces.gas.tiny import SETTINGS, VARIANTS

SIZE, CLASSES = (64, 96), 3
DENSE = VARIANTS["dense"]


@pytest.mark.parametrize("zero", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("settings", [GasSettings(), DENSE, GasSettings(fusion="dense")])
def test_one_hot_choices_give_the_latency_of_the_network(settings, zero):
    """Also of networks whose cells are not all used, and of nodes without edges."""
    space, generator = GasSpace(settings), np.random.default_rng(0)
    table = random_table(space, SIZE, CLASSES)
    penalty = space.penalty(table, CLASSES, 1.0)
    for _ in range(10):
        indexes = drawn(generator, group_shapes(settings), zero)
        expected = predicted_latency_ms(space.from_genes(indexes), table, CLASSES)
        choices = one_hot(indexes, group_shapes(settings))
        found = float(penalty.milliseconds(choices))
        # Sums of up to a hundred rows in float32.
        assert found == pytest.approx(expected, rel=1e-5)
        assert float(penalty(choices)) == pytest.approx(np.log(found), abs=1e-6)


def test_a_table_of_other_units_adds_a_constant_and_leaves_the_gradient():
    space = GasSpace(DENSE)
    table = random_table(space, SIZE, CLASSES)
    larger = LatencyTable(
        {
            key: dataclasses.replace(row, latency_ms=7 * row.latency_ms, p90_ms=100.0)
            for key, row in table.items()
        },
        table.metadata,
    )
    model = space.search_model(CLASSES, 0)
    choices = model.evaluation_choices("student")
    values, found = [], []
    for each in (table, larger):
        penalty = space.penalty(each, CLASSES, 2.0)
        values.append(float(penalty(choices)))
        found.append(
            gradients(
                lambda penalty=penalty: penalty(model.evaluation_choices("student")),
                model.architecture.trainable_variables,
            )
        )
    assert values[1] - values[0] == pytest.approx(np.log(7), rel=1e-5)
    for one, other in zip(*found, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_more_zeros_cost_less():
    space = GasSpace(SETTINGS)
    penalty = space.penalty(random_table(space, SIZE, CLASSES), CLASSES, 1.0)
    shares = ops.convert_to_numpy(ops.softmax(np.zeros(group_shapes(SETTINGS)["cells"])))
    costs = []
    for zero in (0.0, 0.5, 0.9):
        rows = (1 - zero) * shares
        rows[..., 0] += zero
        costs.append(float(penalty({"cells": rows.astype("float32")})))
    assert costs[0] > costs[1] > costs[2]


def test_shares_must_be_the_papers():
    space = GasSpace(SETTINGS)
    with pytest.raises(ValueError, match="'code'"):
        space.penalty(random_table(space, SIZE, CLASSES), CLASSES, 1.0, "code")
