"""The rows that the space asks for, on the released table of 1024x2048."""

import dataclasses

import numpy as np
import pytest

from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.spaces.fasterseg.derive import derive
from keras_fasterseg.spaces.fasterseg.expected_latency import branch_latencies
from keras_fasterseg.spaces.fasterseg.genotype import SCALES
from keras_fasterseg.spaces.fasterseg.latency_costs import latency_costs, required_keys
from keras_fasterseg.spaces.fasterseg.stages import network_stages
from keras_fasterseg.spaces.registry import load_preset
from tests.spaces.fasterseg.released_costs import (
    BASE_FILTERS,
    WIDTHS,
    released_table,
    supernet_costs,
)

STUDENT = 8 / 12


def keys(input_size=(1024, 2048)):
    return required_keys(
        input_size,
        base_filters=BASE_FILTERS,
        width_multipliers=WIDTHS,
        stem_head_width=STUDENT,
        num_classes=19,
    )


def test_the_released_table_has_every_row():
    assert not released_table().missing(keys())
    assert len(set(keys())) == len(keys())


def test_the_published_student_needs_no_other():
    stages = network_stages(load_preset("fasterseg_student"), (1024, 2048))
    needed = {key for stage in stages if not stage.training_only for key in stage.keys}
    assert needed <= set(keys())


def test_costs_equal_those_put_together_by_hand():
    table = released_table()
    costs = latency_costs(
        table, base_filters=BASE_FILTERS, width_multipliers=WIDTHS, stem_head_width=STUDENT
    )
    expected = supernet_costs(table, stem_width=STUDENT, head_width=STUDENT)
    assert costs.stem_ms == pytest.approx(expected.stem_ms)
    for name in ("keep", "down", "last_keep"):
        for ours, theirs in zip(getattr(costs, name), getattr(expected, name), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(costs.first_keep, expected.first_keep, rtol=1e-6)
    np.testing.assert_allclose(costs.first_down, expected.first_down, rtol=1e-6)


def test_a_calibration_scales_every_row_by_its_factor():
    table = released_table()
    options = {"base_filters": BASE_FILTERS, "width_multipliers": WIDTHS}
    plain = latency_costs(table, **options, stem_head_width=STUDENT)
    calibrated = table.calibrated(Calibration(1.5, 7.0, 3))
    scaled = latency_costs(calibrated, **options, stem_head_width=STUDENT)
    assert scaled.stem_ms == pytest.approx(1.5 * plain.stem_ms)
    for name in ("keep", "down", "last_keep"):
        for ours, theirs in zip(getattr(scaled, name), getattr(plain, name), strict=True):
            np.testing.assert_allclose(ours, 1.5 * theirs, rtol=1e-6)
    np.testing.assert_allclose(scaled.first_keep, 1.5 * plain.first_keep, rtol=1e-6)
    np.testing.assert_allclose(scaled.first_down, 1.5 * plain.first_down, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_one_hot_choices_cost_what_the_derived_trunk_does(seed):
    """The supernet's estimate and the derived network's list of operations, from one genotype."""
    layers, random, table = 16, np.random.default_rng(seed), released_table()
    # A cell that prefers the skip would be another operation in the derived network.
    alphas = [random.normal(size=(layers - j, 5)) - [9, 0, 0, 0, 0] for j in range(3)]
    betas = [random.normal(size=(layers - 1 - j, 2)) for j in (1, 2)]
    gammas = [random.normal(size=(layers - max(j, 1), 5)) for j in range(3)]
    genotype = derive(
        alphas,
        betas,
        gammas,
        base_filters=BASE_FILTERS,
        width_multipliers=WIDTHS,
        stem_width=STUDENT,
        head_width=STUDENT,
    )
    costs = latency_costs(
        table, base_filters=BASE_FILTERS, width_multipliers=WIDTHS, stem_head_width=STUDENT
    )
    for branch in genotype.branches:
        alone = dataclasses.replace(genotype, branches=(branch,))
        trunk = [
            key
            for stage in network_stages(alone, (1024, 2048))
            if stage.name.startswith("stem") or "_cell_" in stage.name
            for key in stage.keys
        ]
        latency = branch_latencies(
            [np.eye(5)[array.argmax(axis=-1)] for array in alphas],
            one_hot_paths(branch, layers),
            [np.eye(5)[array.argmax(axis=-1)] for array in gammas],
            costs,
        )[SCALES.index(branch.scale)]
        assert float(latency) == pytest.approx(table.predicted_ms(trunk), rel=1e-6)


def one_hot_paths(branch, layers):
    """Beta that follows the branch: keep everywhere but after its cells of stride 2."""
    betas = [np.tile([0.0, 1.0], (layers - 1 - scale, 1)) for scale in (1, 2)]
    for cell in branch.cells:
        scale = SCALES.index(cell.scale) + 1
        # Row t of scale j is the node before layer t + j + 1.
        if cell.stride == 2 and cell.layer >= scale:
            betas[scale - 1][cell.layer - scale] = (1.0, 0.0)
    return betas


def test_a_size_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="positive multiples of 32"):
        keys((1000, 2048))
