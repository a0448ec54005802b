"""Training targets against plain NumPy and SciPy, and by hand."""

import math

import numpy as np
import pytest
from scipy import ndimage

from keras_fasterseg.video_objects.davis import VOID
from keras_fasterseg.video_objects.training_targets import (
    boundary_map,
    object_boxes,
    training_targets,
)

SIZE = (64, 96)


class MiddleRandom(np.random.Generator):
    """Draws the middle of every range, so that boxes are not moved."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, low=0.0, high=1.0, size=None):
        return np.full(size or (), (low + high) / 2)


def frame(*rectangles: tuple[int, int, int, int, int]) -> np.ndarray:
    """Ids of rectangles: id, top, left, bottom, right."""
    ids = np.zeros(SIZE, np.uint8)
    for number, top, left, bottom, right in rectangles:
        ids[top:bottom, left:right] = number
    return ids


def blobs(seed: int) -> np.ndarray:
    """Three objects and void, which touch one another and the border."""
    noise = np.random.default_rng(seed).standard_normal((5, *SIZE))
    smooth = [ndimage.gaussian_filter(each, 5) for each in noise]
    return np.array([0, 1, 2, 7, VOID], np.uint8)[np.argmax(smooth, axis=0)]


def targets_of(ids: np.ndarray, objects: int = 4, seed: int | None = None) -> dict:
    rng = MiddleRandom() if seed is None else np.random.default_rng(seed)
    numbers = sorted(set(np.unique(ids).tolist()) - {0, VOID})
    return training_targets(ids, {each: 10 * each for each in numbers}, objects, rng)


@pytest.mark.parametrize("seed", range(3))
def test_boxes_equal_those_of_argwhere(seed):
    ids = blobs(seed)
    expected = {}
    for number in (1, 2, 7):
        pixels = np.argwhere(ids == number)
        expected[number] = (*pixels.min(axis=0), *(pixels.max(axis=0) + 1))
    assert object_boxes(ids) == expected


def test_objects_below_sixteen_pixels_are_left_out():
    ids = frame((1, 10, 10, 13, 15), (2, 30, 30, 34, 34))
    assert object_boxes(ids) == {2: (30, 30, 34, 34)}
    targets = targets_of(ids)
    np.testing.assert_array_equal(targets["present"], [1, 0, 0, 0])
    assert targets["identities"][0] == 20
    assert (targets["centers"] == 1).sum() == 1
    # Its pixels still are foreground.
    assert targets["foreground"][1, 1] == 15 / 64


@pytest.mark.parametrize("seed", range(3))
def test_boundaries_are_dilations_minus_erosions_of_all_objects(seed):
    ids = blobs(seed)
    expected = np.zeros(SIZE, bool)
    for number in (1, 2, 7):
        mask, square = ids == number, np.ones((3, 3), bool)
        erosion = ndimage.binary_erosion(mask, square, border_value=1)
        expected |= ndimage.binary_dilation(mask, square) & ~erosion
    np.testing.assert_array_equal(boundary_map(ids), expected)


def test_boundaries_of_touching_objects_by_hand():
    ids = frame((1, 0, 0, 64, 48), (2, 0, 48, 64, 96))
    expected = np.zeros(SIZE, bool)
    expected[:, 47:49] = True
    np.testing.assert_array_equal(boundary_map(ids), expected)


def test_a_frame_full_of_one_object_has_no_boundary():
    assert not boundary_map(np.full(SIZE, 3, np.uint8)).any()


def test_centers_and_sizes_by_hand():
    targets = targets_of(frame((1, 8, 16, 24, 56), (2, 40, 60, 60, 70)))
    centers, sizes = targets["centers"], targets["sizes"]
    assert centers.shape == (16, 24)
    np.testing.assert_array_equal(np.argwhere(centers == 1), [(4, 9), (12, 16)])
    np.testing.assert_array_equal(np.argwhere(sizes[..., 2]), [(4, 9), (12, 16)])
    np.testing.assert_allclose(sizes[4, 9], [math.log(16), math.log(40), 1], rtol=1e-6)
    np.testing.assert_allclose(sizes[12, 16], [math.log(20), math.log(10), 1], rtol=1e-6)
    assert not sizes[sizes[..., 2] == 0].any()
    # Spreads of the first bell: .8 cells down, .12 * 40 / 4 = 1.2 across.
    assert centers[5, 9] == pytest.approx(math.exp(-0.5 / 0.8**2))
    assert centers[4, 7] == pytest.approx(math.exp(-0.5 * (2 / 1.2) ** 2))
    assert centers[3, 11] == pytest.approx(math.exp(-0.5 / 0.8**2 - 0.5 * (2 / 1.2) ** 2))


def test_a_place_without_object_is_empty():
    targets = targets_of(frame((2, 8, 16, 24, 56)), objects=2)
    np.testing.assert_array_equal(targets["present"], [1, 0])
    np.testing.assert_array_equal(targets["identities"], [20, 0])
    np.testing.assert_array_equal(targets["boxes"][1], [0, 0, *SIZE])
    assert not targets["masks"][1].any()


def test_an_empty_frame_has_no_targets():
    targets = targets_of(np.zeros(SIZE, np.uint8))
    for name in ("present", "masks", "centers", "sizes", "boundaries", "foreground"):
        assert not targets[name].any()
    assert targets["valid"].all()
    assert targets["valid_foreground"].all()


def test_box_has_the_margin():
    targets = targets_of(frame((1, 8, 16, 24, 56)))
    np.testing.assert_allclose(targets["boxes"][0], [6, 11, 26, 61], atol=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_random_boxes_are_a_little_off(seed):
    top, left, bottom, right = targets_of(frame((1, 8, 16, 24, 56)), seed=seed)["boxes"][0]
    assert abs((top + bottom) / 2 - 16) <= 0.08 * 16 + 1e-4
    assert abs((left + right) / 2 - 36) <= 0.08 * 40 + 1e-4
    for side, expected in ((bottom - top, 16), (right - left, 40)):
        assert 1 / 1.15 - 1e-5 <= side / (1.25 * expected) <= 1.15 + 1e-5


def test_mask_of_an_aligned_rectangle():
    # The margin makes a box of 70 x 35 from 56 x 28; a crop's cell is 2.5 x 1.25 pixels.
    targets = targets_of(frame((1, 4, 32, 60, 60)))
    box = targets["boxes"][0]
    np.testing.assert_allclose(box, [-3, 28.5, 67, 63.5], atol=1e-5)
    rows = box[0] + (np.arange(28) + 0.5) * 2.5
    columns = box[1] + (np.arange(28) + 0.5) * 1.25
    # Interpolation between pixel centres: a ramp of one pixel at every edge.
    down = np.clip(np.minimum(rows - 3.5, 60.5 - rows), 0, 1)
    across = np.clip(np.minimum(columns - 31.5, 60.5 - columns), 0, 1)
    np.testing.assert_allclose(targets["masks"][0], np.outer(down, across), atol=1e-5)


def test_mask_shows_only_its_object():
    targets = targets_of(frame((1, 8, 16, 40, 56), (2, 8, 36, 40, 56)))
    masks = targets["masks"]
    assert masks[0, 14, 3] == 1
    # The boxes begin at column 13.5 and 33.5, and are 25 pixels wide.
    assert masks[0, 14, 26] == 0
    assert masks[1, 14, 14] == 1


def test_void_is_not_valid():
    ids = frame((1, 8, 16, 24, 56), (VOID, 0, 0, 3, 96), (VOID, 35, 50, 36, 51))
    targets = targets_of(ids)
    expected = np.ones((16, 24))
    expected[0] = expected[8, 12] = 0
    np.testing.assert_array_equal(targets["valid"], expected)
    expected = np.ones((8, 12))
    expected[0] = expected[4, 6] = 0
    np.testing.assert_array_equal(targets["valid_foreground"], expected)
    assert targets["present"].sum() == 1
    assert not targets["foreground"][4, 6]


@pytest.mark.parametrize("seed", range(3))
def test_dense_targets_are_blocks_of_pixels(seed):
    ids = blobs(seed)
    targets = targets_of(ids)
    is_object, edge = np.isin(ids, (1, 2, 7)), boundary_map(ids)
    for row, column in np.ndindex(8, 12):
        block = is_object[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert targets["foreground"][row, column] == block.mean()
    for row, column in np.ndindex(16, 24):
        block = edge[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert targets["boundaries"][row, column] == block.any()


def test_more_objects_than_places():
    ids = frame(*((number, 10, 12 * number, 20, 12 * number + 10) for number in range(1, 7)))
    chosen = set()
    for seed in range(30):
        targets = targets_of(ids, objects=2, seed=seed)
        np.testing.assert_array_equal(targets["present"], [1, 1])
        first, second = targets["identities"].tolist()
        assert first < second
        chosen |= {first, second}
        for place in range(2):
            middle = targets["boxes"][place].reshape(2, 2).mean(axis=0)
            number = targets["identities"][place] // 10
            np.testing.assert_allclose(middle, (15, 12 * number + 5), atol=0.81)
        # Also objects without a place have a centre.
        assert (targets["centers"] == 1).sum() == 6
    assert chosen == {10, 20, 30, 40, 50, 60}


def test_types():
    targets = targets_of(blobs(0), seed=0)
    types = {name: str(each.dtype) for name, each in targets.items()}
    assert types.pop("identities") == "int32"
    assert set(types.values()) == {"float32"}


def test_a_boundary_beside_void_does_not_count():
    ids = np.zeros((32, 64), np.uint8)
    ids[:, :32] = 1
    ids[:, 32:] = VOID
    targets = training_targets(ids, {1: 0}, 2, np.random.default_rng(0))
    beside = targets["boundaries"][:, 7]
    assert beside.all()
    assert not targets["valid_boundaries"][:, 7].any()
    assert targets["valid"][:, 7].all()
    assert targets["valid_boundaries"][:, :7].all()
