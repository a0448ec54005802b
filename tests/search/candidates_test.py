import json
import math

import numpy as np
import pytest

from keras_fasterseg.files import write_json
from keras_fasterseg.run.search_report import without_nan
from keras_fasterseg.search.candidates import Candidate, best_candidate, network_of_front
from tests.search.tiny_space import SPACE


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


@pytest.fixture
def front(tmp_path):
    generator = np.random.default_rng(0)
    found = [
        Candidate("", SPACE.random_genotype(generator), miou, ms)
        for miou, ms in ((0.5, 20.0), (0.4, 10.0), (float("nan"), 8.0), (0.1, 5.0))
    ]
    path = tmp_path / "front.json"
    write_json(path, without_nan([each.to_json() for each in found]))
    return path, found


@pytest.mark.parametrize(("fps", "index"), [(1.0, 0), (50.0, 0), (50.1, 1), (101.0, 3), (200.0, 3)])
def test_the_network_of_a_front_for_a_frame_rate(front, fps, index):
    path, found = front
    assert network_of_front(path, fps) == found[index].genotype


def test_a_front_without_a_network_that_is_fast_enough(front):
    with pytest.raises(ValueError, match=r"predicted to reach 201 FPS; the fastest reaches 200\.0"):
        network_of_front(front[0], 201)


@pytest.mark.parametrize("content", [{}, [1], [{"genotype": {}, "miou": 1.0}], "front"])
def test_a_file_that_is_no_front(tmp_path, content):
    write_json(tmp_path / "a.json", content)
    with pytest.raises(
        ValueError, match=r"a\.json (is not the front|.*is predicted to reach 1 FPS)"
    ):
        network_of_front(tmp_path / "a.json", 1)


def test_a_candidate_survives_json():
    candidate = Candidate("a", SPACE.random_genotype(np.random.default_rng(0)), 0.25, 3.0)
    assert Candidate.from_json(json.loads(json.dumps(candidate.to_json()))) == candidate
