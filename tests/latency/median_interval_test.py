import itertools
import math

import numpy as np
import pytest

from keras_fasterseg.latency.median_interval import median_interval


@pytest.mark.parametrize(
    ("count", "confidence", "rank"),
    # Tables of the sign test's interval, such as Conover, Practical Nonparametric Statistics.
    [
        *[(6, 0.95, 1), (10, 0.95, 2), (15, 0.95, 4), (20, 0.95, 6), (25, 0.95, 8)],
        *[(50, 0.95, 18), (100, 0.95, 40), (8, 0.99, 1), (20, 0.99, 4)],
    ],
)
def test_interval_ends_at_the_ranks_of_the_sign_tests_table(count, confidence, rank):
    values = np.random.default_rng(0).permutation(count) + 1
    assert median_interval(values, confidence) == (rank, count + 1 - rank)


def test_interval_holds_the_median_as_often_as_it_says_and_a_narrower_one_would_not():
    # Each of 9 values lies above or below the median with equal chance: all 512 cases.
    low, high = median_interval(range(1, 10))
    below = [sum(case) for case in itertools.product((0, 1), repeat=9)]
    assert np.mean([low <= count < high for count in below]) >= 0.95
    assert np.mean([low + 1 <= count < high - 1 for count in below]) < 0.95


def test_interval_of_many_values_is_the_normal_approximation():
    low, high = median_interval(range(20_000))
    assert low == pytest.approx(10_000 - 1.96 * np.sqrt(20_000) / 2, abs=2)
    assert high == pytest.approx(10_000 + 1.96 * np.sqrt(20_000) / 2, abs=2)


def test_too_few_values_have_no_bounds():
    for count, confidence in ((5, 0.95), (4, 0.9), (7, 0.99)):
        assert median_interval([1.0] * count, confidence) == (-math.inf, math.inf)
        assert median_interval([1.0] * (count + 1), confidence) == (1.0, 1.0)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_confidence_out_of_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match=f"confidence={confidence}"):
        median_interval([1.0] * 10, confidence)
