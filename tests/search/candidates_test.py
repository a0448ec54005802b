import math

import pytest

from keras_fasterseg.search.candidates import Candidate, best_candidate


def candidate(name, miou, latency_ms=None):
    return Candidate(name, None, miou, latency_ms)


@pytest.mark.parametrize(
    ("miou", "latency_ms", "expected"),
    [
        (0.5, 1.0, 0.5),
        (0.5, math.e, 0.5 * math.exp(-0.07)),
        (0.5, 10.0, 0.42556902),  # 10 to the -0.07 is 0.85113804
        (0.5, None, 0.5),
        (0.0, 10.0, 0.0),
    ],
)
def test_objective(miou, latency_ms, expected):
    assert candidate("a", miou, latency_ms).objective == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ((0.50, 8.0), (0.51, 8.0), "second"),  # more accurate
        ((0.50, 8.0), (0.50, 9.0), "first"),  # faster
        ((0.50, 4.0), (0.51, 8.0), "first"),  # 2% more for twice the time: 2 ** 0.07 is 1.05
        ((0.50, 4.0), (0.53, 8.0), "second"),  # 6% more is worth it
        ((math.nan, None), (0.0, None), "second"),
        ((0.1, None), (math.nan, None), "first"),
    ],
)
def test_best_candidate(first, second, winner):
    candidates = {"first": candidate("first", *first), "second": candidate("second", *second)}
    assert best_candidate(candidates).prediction == winner


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        # The case that was seen: 87.4 and 89.8 FPS for a band of 88 to 95.
        ((0.40, 1000 / 87.4), (0.38, 1000 / 89.8), "second"),
        ((0.40, 1000 / 89.0), (0.38, 1000 / 94.0), "first"),  # both inside: the objective
        ((0.40, 1000 / 80.0), (0.38, 1000 / 87.0), "second"),  # both too slow: the nearer
        ((0.40, 1000 / 99.0), (0.38, 1000 / 96.0), "second"),  # both too fast: the nearer
        ((0.40, 1000 / 98.0), (0.38, 1000 / 87.0), "second"),  # 3 above, 1 below
        ((0.40, 1000 / 88.0), (0.39, 1000 / 95.0), "first"),  # the ends belong to the band
        ((0.40, None), (0.41, None), "second"),
    ],
)
def test_candidates_in_the_band_come_first(first, second, winner):
    candidates = {"first": candidate("first", *first), "second": candidate("second", *second)}
    assert best_candidate(candidates, (88.0, 95.0)).prediction == winner
