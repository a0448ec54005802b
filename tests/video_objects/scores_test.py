"""J and F: closed forms, plain dilation, and the values of vos-benchmark."""

import math

import numpy as np
import pytest
from scipy import ndimage

from keras_fasterseg.video_objects.scores import (
    SequenceScores,
    VideoScores,
    boundary_map,
    contour_accuracy,
    contour_radius,
    dilate,
    region_similarity,
    score_sequence,
    statistics,
)
from tests.shared import load_fixture

SIZE = (96, 128)


def rectangle(top: int, left: int, height: int = 20, width: int = 30) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def disk(radius: int) -> np.ndarray:
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return rows**2 + columns**2 <= radius**2


@pytest.mark.parametrize(("size", "radius"), [((480, 854), 8), ((360, 480), 5), ((96, 128), 2)])
def test_contour_radius(size, radius):
    assert contour_radius(size) == radius


@pytest.mark.parametrize("empty", [True, False])
def test_a_perfect_mask(empty):
    mask = np.zeros(SIZE, bool) if empty else rectangle(30, 40).astype(bool)
    assert region_similarity(mask, mask) == contour_accuracy(mask, mask) == 1


def test_an_inner_object_shifted_by_a_pixel():
    mask, truth = rectangle(30, 41), rectangle(30, 40)
    assert region_similarity(mask, truth) == 29 / 31
    assert contour_accuracy(mask, truth) == 1


@pytest.mark.parametrize("lost", [True, False])
def test_a_missing_object(lost):
    empty, full = np.zeros(SIZE, np.uint8), rectangle(30, 40)
    pair = (empty, full) if lost else (full, empty)
    assert region_similarity(*pair) == contour_accuracy(*pair) == 0


def test_objects_far_apart():
    assert contour_accuracy(rectangle(10, 10), rectangle(60, 80)) == 0


def test_precision_and_recall_of_the_contour():
    mask = rectangle(30, 40) | rectangle(70, 90, 4, 4)
    # Contours of 2 * (20 + 30) and 2 * (4 + 4) pixels, of which the first is right.
    precision, recall = 100 / 116, 1
    expected = 2 * precision * recall / (precision + recall)
    assert contour_accuracy(mask, rectangle(30, 40)) == pytest.approx(expected, rel=1e-15)


def test_void_pixels_do_not_count():
    truth, mask = rectangle(30, 40), rectangle(30, 40) | rectangle(60, 80)
    void = rectangle(55, 75, 30, 40)
    assert region_similarity(mask, truth) == 0.5
    assert region_similarity(mask, truth, void) == contour_accuracy(mask, truth, void) == 1


def test_the_contour_differs_from_neighbours_to_the_right_and_below():
    mask = np.zeros((5, 6), bool)
    mask[1:3, 2:4] = True
    expected = [
        "011100",
        "010100",
        "011100",
        "000000",
        "000000",
    ]
    found = ["".join(map(str, row.astype(int))) for row in boundary_map(mask)]
    assert found == expected


def test_the_contour_at_the_border():
    assert not boundary_map(np.ones((4, 5), bool)).any()
    corner = np.zeros((3, 4), bool)
    corner[-1, -1] = True
    found = boundary_map(corner).astype(int).tolist()
    assert found == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]]


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 8, 30])
def test_dilation(radius):
    random = np.random.default_rng(radius)
    for size, share in [((40, 60), 0.01), ((40, 60), 0.2), ((1, 9), 0.3), ((9, 1), 0.3)]:
        mask = random.random(size) < share
        np.testing.assert_array_equal(
            dilate(mask, radius), ndimage.binary_dilation(mask, disk(radius))
        )
        if mask.any():
            distance = ndimage.distance_transform_edt(~mask)
            np.testing.assert_array_equal(dilate(mask, radius), distance <= radius)


def test_scores_equal_those_of_vos_benchmark():
    fixture = load_fixture("vos_benchmark")
    j, f = np.zeros_like(fixture["j"]), np.zeros_like(fixture["f"])
    assert j.shape == f.shape == (20, 4)
    for pair, number in np.ndindex(j.shape):
        mask, truth = (fixture[f"{kind}{pair:02d}"] == number + 1 for kind in ("mask", "truth"))
        j[pair, number] = region_similarity(mask, truth)
        f[pair, number] = contour_accuracy(mask, truth)
    np.testing.assert_allclose(j, fixture["j"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(f, fixture["f"], rtol=0, atol=1e-12)


def test_shapes_must_be_equal():
    with pytest.raises(ValueError, match=r"same shape .* Received: \(96, 128\), \(96, 127\)"):
        region_similarity(rectangle(1, 1), rectangle(1, 1)[:, 1:])
    with pytest.raises(ValueError, match=r"Received: \(96, 128\), \(96, 128\), \(1, 128\)"):
        contour_accuracy(rectangle(1, 1), rectangle(1, 1), rectangle(1, 1)[:1])


def test_recall_and_decay_by_hand():
    # Frames 1 to 9: edges are 1, 3, 5, 7, 9, and both ends belong to a quarter.
    found = statistics([1, 0.9, 0.8, 0.5, 0.51, 0.3, 0.6, 0.2, 0.1])
    assert found.mean == pytest.approx(4.91 / 9)
    assert found.recall == pytest.approx(5 / 9)
    assert found.decay == pytest.approx(0.9 - 0.3)


def test_edges_are_rounded_half_up():
    # Edges 1, 2.5, 4, 5.5, 7 become 1, 3, 4, 6, 7: the quarters are frames 1 to 3 and 6 to 7.
    found = statistics([0.9, 0.6, 0.3, 0, 0, 0.2, 0.4])
    assert found.decay == pytest.approx(0.6 - 0.3)


def test_a_sequence_longer_than_a_byte():
    assert statistics(np.linspace(1, 0, 401)).decay == pytest.approx(0.75)


def test_frames_without_a_score():
    found = statistics([1, math.nan, 0.6, 0.2, math.nan])
    assert (found.mean, found.recall) == (pytest.approx(0.6), 2 / 5)
    assert found.decay == pytest.approx(1 - 0.2)
    assert math.isnan(statistics([math.nan]).mean)
    with pytest.raises(ValueError, match=r"at least one\. Received: \(0,\)"):
        statistics([])


def test_the_first_and_the_last_frame_do_not_count():
    truths = [rectangle(30, 40)] * 5
    masks = [np.zeros(SIZE, np.uint8), *truths[1:4], rectangle(0, 0)]
    found = score_sequence(masks, truths)
    np.testing.assert_array_equal(found.region, np.ones((1, 3)))
    np.testing.assert_array_equal(found.contour, np.ones((1, 3)))


def test_objects_are_those_of_the_first_frame():
    first = np.maximum(rectangle(10, 10), 2 * rectangle(60, 80))
    later = np.maximum(first, 3 * rectangle(60, 10))
    later[0] = 255
    # The second object is lost in one frame; the third, which appears later, does not count.
    masks = [first, first, rectangle(10, 10), first]
    found = score_sequence(masks, [first, later, later, later])
    np.testing.assert_array_equal(found.region, [[1, 1], [1, 0]])
    np.testing.assert_array_equal(found.contour, [[1, 1], [1, 0]])


def test_void_pixels_of_a_sequence_do_not_count():
    truth = rectangle(30, 40)
    truth[55:85, 75:115] = 255
    found = score_sequence([rectangle(30, 40) | rectangle(60, 80)] * 3, [truth] * 3)
    assert found.region == found.contour == 1


def test_faulty_sequences():
    mask, empty = rectangle(30, 40), np.zeros(SIZE, np.uint8)
    with pytest.raises(ValueError, match="Received: 2 masks and 3 truths"):
        score_sequence([mask] * 2, [mask] * 3)
    with pytest.raises(ValueError, match="at least three"):
        score_sequence([mask] * 2, [mask] * 2)
    with pytest.raises(ValueError, match="first frame has no object"):
        score_sequence([mask] * 3, [empty, mask, mask])
    with pytest.raises(ValueError, match=r"must be at most 1, .* Received: 2 in frame 1 of 0 to 2"):
        score_sequence([mask, 2 * mask, mask], [mask] * 3)
    with pytest.raises(ValueError, match="must have the same shape"):
        score_sequence([mask[1:]] * 3, [mask] * 3)


@pytest.fixture
def scores():
    """A sequence of two objects and one of one."""
    dog = SequenceScores(
        np.array([[1.0, 0.8, 0.6, 0.4], [0.2, 0.2, 0.2, 0.2]]),
        np.array([[0.9, 0.9, 0.9, 0.9], [0.0, 0.0, 0.6, 0.6]]),
    )
    return VideoScores({"dog": dog, "cat": SequenceScores(np.ones((1, 2)), np.ones((1, 2)))})


def test_means_are_over_objects(scores):
    assert scores.num_objects == 3
    assert scores.j.mean == pytest.approx((0.7 + 0.2 + 1) / 3)
    assert scores.j.recall == pytest.approx((3 / 4 + 0 + 1) / 3)
    # Edges 1, 1.75, 2.5, 3.25, 4 become 1, 2, 3, 3, 4.
    assert scores.j.decay == pytest.approx((0.9 - 0.5 + 0 + 0) / 3)
    assert scores.f.mean == pytest.approx((0.9 + 0.3 + 1) / 3)
    assert scores.j_and_f == pytest.approx((1.9 / 3 + 2.2 / 3) / 2)


def test_scores_as_json(scores):
    found = scores.to_json()
    assert found["j_and_f"] == pytest.approx(4.1 / 6)
    assert found["num_objects"] == 3
    dog = found["sequences"]["dog"]
    assert dog["num_frames"] == 4
    assert dog["j"]["mean"] == pytest.approx(0.45)
    assert dog["objects"]["2"]["f"] == pytest.approx({"mean": 0.3, "recall": 0.5, "decay": -0.6})
    assert list(found["sequences"]["cat"]["objects"]) == ["1"]


def test_scores_as_a_table(scores):
    rows = [line.split() for line in scores.table().splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        ["dog", "all"],
        ["dog", "1"],
        ["dog", "2"],
        ["cat", "all"],
        ["all", "all"],
    ]
    assert rows[1][2:] == ["80.00", "70.00", "75.00", "40.00", "90.00", "100.00", "0.00"]
    assert rows[-1][2] == "68.33"
