"""The rows that the space asks for, on the released table of 1024x2048."""

import numpy as np
import pytest

from keras_fasterseg.spaces.fasterseg.latency_costs import latency_costs, required_keys
from keras_fasterseg.spaces.fasterseg.presets import load_preset
from keras_fasterseg.spaces.fasterseg.stages import network_stages
from tests.latency.reference_costs import BASE_FILTERS, WIDTHS, reference_table, supernet_costs

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
    assert not reference_table().missing(keys())
    assert len(set(keys())) == len(keys())


def test_the_published_student_needs_no_other():
    stages = network_stages(load_preset("fasterseg_student"), (1024, 2048))
    needed = {key for stage in stages if not stage.training_only for key in stage.keys}
    assert needed <= set(keys())


def test_costs_equal_those_put_together_by_hand():
    table = reference_table()
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


def test_a_size_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="positive multiples of 32"):
        keys((1000, 2048))
