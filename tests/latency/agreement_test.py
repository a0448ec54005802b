"""Tests of the agreement of predictions against closed forms."""

import numpy as np
import pytest

from keras_fasterseg.latency.agreement import Agreement, agreement, average_ranks


def test_errors_are_relative_to_the_measurement():
    found = agreement([1.0, 3.0, 4.4], [2.0, 2.5, 4.0])
    # |1 - 2| / 2, |3 - 2.5| / 2.5 and |4.4 - 4| / 4.
    assert found.median_relative_error == pytest.approx(0.2)
    assert found.worst_relative_error == pytest.approx(0.5)
    assert found.networks == 3
    assert found.spearman == pytest.approx(1.0)


def test_exact_predictions():
    assert agreement([1.0, 2.0, 4.0], [1.0, 2.0, 4.0]) == Agreement(1.0, 0.0, 0.0, 3)


def test_without_ties_spearman_follows_the_differences_of_ranks():
    generator = np.random.default_rng(0)
    for count in (2, 5, 12):
        predicted, measured = generator.uniform(1, 9, (2, count))
        ranks = [np.array([sum(v <= x for v in row) for x in row]) for row in (predicted, measured)]
        squares = sum((ranks[0] - ranks[1]) ** 2)
        expected = 1 - 6 * squares / (count * (count**2 - 1))
        assert agreement(predicted, measured).spearman == pytest.approx(expected, abs=1e-12)


def test_a_monotone_curve_has_the_order_right_and_a_falling_one_wrong():
    measured = np.array([1.0, 2.0, 5.0, 7.0])
    assert agreement(np.exp(measured), measured).spearman == pytest.approx(1)
    assert agreement(1 / measured, measured).spearman == pytest.approx(-1)


def test_equal_values_share_the_mean_rank():
    np.testing.assert_array_equal(average_ranks([3, 1, 3, 2, 3]), [4, 1, 4, 2, 4])
    np.testing.assert_array_equal(average_ranks([5, 5]), [1.5, 1.5])


def test_spearman_with_ties_by_hand():
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5.
    assert agreement([1, 2, 2, 3], [1, 2, 3, 4]).spearman == pytest.approx(4.5 / 22.5**0.5)


@pytest.mark.parametrize(
    ("predicted", "measured"),
    [
        ([1.0], [1.0]),
        ([1.0, 2.0], [1.0]),
        ([1.0, 1.0], [1.0, 2.0]),
        ([1.0, 2.0], [3.0, 3.0]),
        ([1.0, 2.0], [0.0, 3.0]),
        ([-1.0, 2.0], [1.0, 3.0]),
        ([1.0, float("nan")], [1.0, 2.0]),
        ([[1.0, 2.0]], [[1.0, 2.0]]),
    ],
)
def test_what_cannot_be_compared_is_refused(predicted, measured):
    with pytest.raises(ValueError, match=r"at least two networks, not all equal\. Received"):
        agreement(predicted, measured)
