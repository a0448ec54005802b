import itertools

import numpy as np
import pytest

from keras_fasterseg.benchmark.statistics import TimeStatistics, interval_values, median_interval


def test_closed_form():
    # 0, 1, ..., 100 ms: percentile p lies at p, and a symmetric sample has one mean.
    statistics = TimeStatistics.from_seconds([0.001 * (100 - k) for k in range(101)])
    assert statistics.repetitions == 101
    assert statistics.p50_ms == pytest.approx(50.0)
    assert statistics.p90_ms == pytest.approx(90.0)
    assert statistics.p99_ms == pytest.approx(99.0)
    assert statistics.mean_ms == pytest.approx(50.0)
    assert statistics.trimmed_mean_ms == pytest.approx(50.0)


def test_outliers_move_the_mean_and_not_the_trimmed_mean():
    statistics = TimeStatistics.from_seconds([0.002] * 19 + [1.002])
    assert statistics.mean_ms == pytest.approx(52.0)
    assert statistics.trimmed_mean_ms == pytest.approx(2.0)
    assert statistics.p50_ms == pytest.approx(2.0)


def test_one_time_is_every_statistic():
    statistics = TimeStatistics.from_seconds([0.004])
    assert statistics == TimeStatistics(4.0, 4.0, 4.0, 4.0, 4.0, 1)


def test_no_time_is_refused():
    with pytest.raises(ValueError, match="no times"):
        TimeStatistics.from_seconds([])


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


def test_too_few_values_have_no_interval():
    assert [interval_values(confidence) for confidence in (0.5, 0.9, 0.95, 0.99)] == [2, 5, 6, 8]
    with pytest.raises(ValueError, match=r"at least 6 values; measure more of them\. Received: 5"):
        median_interval([1.0] * 5)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_confidence_out_of_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match=f"confidence={confidence}"):
        median_interval([1.0] * 10, confidence)
