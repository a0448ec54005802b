import math

import numpy as np
import pytest

from keras_fasterseg.search.candidates import Candidate, best_candidate, derive_candidates
from tests.search.tiny_space import make_space


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


def test_candidates_of_both_roles():
    space = make_space()
    for architecture, width, widths in (
        (space.teacher, 1.0, {1.0}),
        (space.student, 0.5, {0.5, 1.0}),
    ):
        candidates = derive_candidates(architecture, space.supernet)
        branches = {
            name: [branch.scale for branch in genotype.branches]
            for name, genotype in candidates.items()
        }
        assert branches == {"scale_8_32": [32, 8], "scale_16_32": [32, 16]}
        for genotype in candidates.values():
            assert (genotype.stem_width, genotype.head_width) == (width, width)
            for branch in genotype.branches:
                assert {cell.width for cell in branch.cells} <= widths


def test_operations_are_those_of_the_largest_alpha():
    space = make_space()
    for alpha in space.student.alphas:
        alpha.assign(np.tile(np.float32([0, 0, 0, 1, 0]), (alpha.shape[0], 1)))
    for genotype in derive_candidates(space.student, space.supernet).values():
        for branch in genotype.branches:
            assert {cell.primitive for cell in branch.cells} == {"conv_2x"}
            assert len(branch.cells) == 4


def test_the_student_may_skip_and_the_teacher_may_not():
    space = make_space()
    lengths = {}
    for architecture in (space.teacher, space.student):
        for alpha in architecture.alphas:
            alpha.assign(np.tile(np.float32([1, 0, 0.5, 0, 0]), (alpha.shape[0], 1)))
        genotype = derive_candidates(architecture, space.supernet)["scale_8_32"]
        lengths[architecture.role] = len(genotype.branches[1].cells)
    # Of four cells at 1/8 round(4 / 3) = 1 has to stay.
    assert lengths == {"teacher": 4, "student": 1}
