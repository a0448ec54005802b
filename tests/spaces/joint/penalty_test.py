"""The expected cost of the joint space as a penalty."""

import dataclasses

import numpy as np
import pytest

from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.operations import rows_of
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.spaces.cost import deployed_keys, predicted_latency_ms
from keras_fasterseg.spaces.joint.architecture import EARLY_DEPTH, LATE_DEPTH, fixed_choices
from keras_fasterseg.spaces.joint.choices import operations
from keras_fasterseg.spaces.joint.penalty import FlopsPenalty, LatencyPenalty
from keras_fasterseg.spaces.joint.search_model import JointSearch, derive
from keras_fasterseg.spaces.joint.settings import JointSettings
from keras_fasterseg.spaces.joint.space import JointSpace
from tests.run.latency_rows import random_table

# Widths 24, 20 and 16 of which 20 is between measured ones; 48, 44 and 40 are between 32 and 48.
SETTINGS = JointSettings(
    early_blocks=2, late_blocks=3, early_filters=24, late_filters=48, filter_choices=3,
    dilations=(1, 4),
)  # fmt: skip
SPACE = JointSpace(SETTINGS)
SIZE, CLASSES = (64, 96), 5


@pytest.fixture(scope="module")
def table():
    return random_table(SPACE, SIZE, CLASSES)


def random_network(seed):
    """One-hot choices and their network."""
    generator = np.random.default_rng(seed)
    blocks, count = 5, len(operations(SETTINGS))
    picked = {
        EARLY_DEPTH: np.array(generator.integers(2)),
        LATE_DEPTH: np.array(generator.integers(3)),
        "operation": generator.integers(count, size=blocks),
        "middle": generator.integers(3, size=(blocks, count)),
        "last": generator.integers(3, size=(blocks, count)),
    }
    choices = fixed_choices(SETTINGS, picked)
    return choices, derive(choices, SETTINGS)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("calibration", [None, Calibration(1.5, 2.0, 4)])
def test_the_latency_of_one_hot_choices_is_that_of_their_network(table, calibration, seed):
    choices, genotype = random_network(seed)
    table = table.calibrated(calibration)
    penalty = LatencyPenalty(SETTINGS, table, CLASSES, target_ms=3.0)
    expected = predicted_latency_ms(genotype, table, CLASSES)
    assert float(penalty.expected_ms(choices)) == pytest.approx(expected, rel=1e-5)
    assert float(penalty(choices)) == pytest.approx((expected / 3.0 - 1) ** 2, rel=1e-4)


def test_checks_of_interpolated_rows_change_no_price(table):
    checks = {
        key: LatencyRow(50.0, 50.0, 50.0, 1)
        for _, genotype in map(random_network, range(4))
        for key in deployed_keys(genotype, SIZE, CLASSES)
        if key not in rows_of(key)
    }
    assert len(checks) > 5
    checked = LatencyTable({**table.measured, **checks}, table.metadata)
    for choices, genotype in map(random_network, range(4)):
        expected = predicted_latency_ms(genotype, table, CLASSES)
        assert predicted_latency_ms(genotype, checked, CLASSES) == expected
        penalty = LatencyPenalty(SETTINGS, checked, CLASSES, target_ms=3.0)
        assert float(penalty.expected_ms(choices)) == pytest.approx(expected, rel=1e-5)


def test_only_widths_on_the_grid_are_measured(table):
    keys = SPACE.required_keys(SIZE, CLASSES)
    assert all(rows_of(key) == {key: 1.0} for key in keys)
    blocks = [key for key in keys if key.operation == "joint_block"]
    assert {key.in_filters for key in blocks} == {16, 32, 48}
    # Four operations, and two widths at each of three places, at 1/4 and at 1/8.
    assert len(blocks) == 2 * 4 * 2**3
    assert {dict(key.attributes)["dilation"] for key in blocks} == {1, 4}


def test_the_published_space_needs_few_rows():
    space = JointSpace()
    keys = space.required_keys((1024, 2048), 19)
    assert sum(key.operation == "joint_block" for key in keys) == 2 * 10 * 3**3
    assert len(keys) < 560


def test_flops_need_no_latency(table):
    settings = dataclasses.replace(SETTINGS, cost="flops")
    penalty = JointSpace(settings).penalty(table, CLASSES, 1.0)
    assert isinstance(penalty, FlopsPenalty)
    paper = JointSettings(early_blocks=5, late_blocks=8, choose_depth=False)
    start = JointSearch(paper, CLASSES, 0).architecture.probabilities()
    assert float(FlopsPenalty(paper)(start)) == pytest.approx(0.018308, abs=5e-7)


def test_shares_are_refused(table):
    with pytest.raises(ValueError, match="single"):
        SPACE.penalty(table, CLASSES, 1.0, "auto")
