"""Matching against every possible matching, and overlaps by hand."""

import itertools

import numpy as np
import pytest

from keras_fasterseg.video_objects.matching import (
    LEAST_SIMILARITY,
    mask_overlaps,
    match,
    similarities,
)


def best_total(similarity: np.ndarray, least: float) -> float:
    """Largest sum over all matchings of pairs that reach `least`, by brute force."""
    rows, columns = similarity.shape
    if rows > columns:
        return best_total(similarity.T, least)
    counted = np.where(similarity >= least, similarity, 0)
    return max(
        sum(counted[row, column] for row, column in enumerate(places))
        for places in itertools.permutations(range(columns), rows)
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (4, 5)])
@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force(shape, seed):
    similarity = np.random.default_rng(seed).uniform(-0.5, 1, shape)
    pairs = match(similarity)
    rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
    assert rows == sorted(set(rows))
    assert len(set(columns)) == len(columns)
    assert all(similarity[pair] >= LEAST_SIMILARITY for pair in pairs)
    total = sum(similarity[pair] for pair in pairs)
    assert total == pytest.approx(best_total(similarity, LEAST_SIMILARITY))


def test_pairs_below_the_limit_are_left_out():
    assert match(np.array([[0.39, 0.1], [0.2, 0.4]])) == [(1, 1)]
    assert match(np.array([[0.39, 0.1], [0.2, 0.3]])) == []
    assert match(np.array([[0.39, 0.1], [0.2, 0.3]]), least=0.2) == [(0, 0), (1, 1)]


def test_pairs_below_the_limit_displace_no_valid_pair():
    # Two pairs of .39 sum to more than the single valid pair.
    assert match(np.array([[0.5, 0.39], [0.39, 0.0]])) == [(0, 0)]
    # Negative similarities count nothing, rather than against their neighbours.
    assert match(np.array([[0.5, 0.45], [0.45, -1.0]])) == [(0, 1), (1, 0)]
    assert match(np.array([[0.95, 0.45], [0.45, -1.0]])) == [(0, 0)]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_match(shape):
    assert match(np.zeros(shape)) == []


@pytest.mark.parametrize("seed", range(5))
def test_permuted_proposals_permute_the_pairs(seed):
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(0, 1, (4, 6))
    order = rng.permutation(6)
    permuted = [(row, int(order[column])) for row, column in match(similarity[:, order])]
    assert permuted == match(similarity)


def test_similarity_is_seven_tenths_of_cosine_and_three_of_overlap():
    cosines, overlaps = np.array([[1.0, 0.0, -1.0]]), np.array([[1.0, 1.0, 0.5]])
    np.testing.assert_allclose(similarities(cosines, overlaps), [[1.0, 0.3, -0.55]])


def test_overlaps_by_hand():
    first, second = np.zeros((3, 4, 6), bool), np.zeros((2, 4, 6), bool)
    first[0, :2, :3] = True
    first[1, 2:, 3:] = True
    second[0, 1:3, 1:4] = True
    # Shared pixels: 2 of 6 and 6, 1 of 6 and 6; the other masks are empty.
    expected = [[2 / 10, 0], [1 / 11, 0], [0, 0]]
    result = mask_overlaps(first, second)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected)
    np.testing.assert_array_equal(mask_overlaps(first, first).diagonal(), [1, 1, 0])


def test_overlaps_of_no_masks():
    masks = np.ones((2, 4, 6), bool)
    assert mask_overlaps(masks[:0], masks).shape == (0, 2)
    assert mask_overlaps(masks, masks[:0]).shape == (2, 0)
