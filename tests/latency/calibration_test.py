"""Tests of the line from sums of rows to latencies."""

import math

import numpy as np
import pytest

from keras_fasterseg.latency.calibration import Calibration, fit_calibration


def test_it_is_a_straight_line():
    assert Calibration(1.5, 0.25, 2)(4.0) == 6.25


@pytest.mark.parametrize(("factor", "offset"), [(0.8, 1.25), (1.3, 0.5), (1.0, 0.0)])
def test_points_on_a_line_give_the_line(factor, offset):
    sums = np.array([2.0, 3.0, 7.0, 11.0])
    found = fit_calibration(sums, factor * sums + offset)
    assert found.factor == pytest.approx(factor, rel=1e-12)
    assert found.offset_ms == pytest.approx(offset, abs=1e-12)
    assert found.networks == 4


def test_no_line_begins_below_zero():
    sums = np.array([2.0, 3.0, 7.0, 11.0])
    measured = 1.3 * sums - 0.5
    found = fit_calibration(sums, measured)
    assert found.offset_ms == 0.0
    # The least squares of one unknown in closed form, of relative errors.
    ratios = sums / measured
    assert found.factor == pytest.approx(ratios.sum() / (ratios**2).sum())


def test_no_other_line_has_smaller_relative_errors():
    generator = np.random.default_rng(0)
    sums = generator.uniform(1, 30, 12)
    measured = (1.2 * sums + 0.7) * generator.uniform(0.8, 1.25, 12)
    found = fit_calibration(sums, measured)

    def cost(factor, offset):
        return np.sum(((factor * sums + offset) / measured - 1) ** 2)

    best = cost(found.factor, found.offset_ms)
    for factor, offset in 1e-3 * generator.normal(size=(50, 2)):
        assert cost(found.factor + factor, found.offset_ms + offset) > best


def test_relative_errors_make_the_unit_irrelevant():
    sums, measured = [1.0, 2.0, 5.0], [1.5, 2.0, 6.0]
    milliseconds = fit_calibration(sums, measured)
    microseconds = fit_calibration([1000 * x for x in sums], [1000 * x for x in measured])
    assert microseconds.factor == pytest.approx(milliseconds.factor)
    assert microseconds.offset_ms == pytest.approx(1000 * milliseconds.offset_ms)


@pytest.mark.parametrize(
    ("sums", "measured"),
    [([], []), ([1.0], [1.0]), ([2.0, 2.0], [1.0, 3.0]), ([1.0, 2.0], [1.0, 2.0, 3.0])],
)
def test_too_few_networks_are_refused(sums, measured):
    with pytest.raises(ValueError, match=r"two networks with different sums\. Received: sums_ms="):
        fit_calibration(sums, measured)


def test_latencies_that_fall_where_the_sums_rise_are_refused():
    with pytest.raises(ValueError, match="positive factor"):
        fit_calibration([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, 0.0, 3), "factor=0.0"),
        ((-1.0, 0.0, 3), "factor=-1.0"),
        ((math.nan, 0.0, 3), "factor=nan"),
        ((math.inf, 0.0, 3), "factor=inf"),
        ((1.0, math.inf, 3), "offset_ms=inf"),
        ((1.0, 0.0, 1), "networks=1"),
    ],
)
def test_impossible_calibrations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Calibration(*values)
