"""Crops and pasted regions: exact ramps, SciPy's interpolation, and the way back."""

import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from keras_fasterseg.video_objects.regions import crop_regions, paste_regions

BOXES = np.array([[[2, 4, 10, 12], [1.3, 2.7, 9.1, 17.9], [5, 5, 6, 6]]], np.float32)
BEYOND = np.array([[[-4, -3, 30, 40], [20, -9, 21, 3], [-9, -9, -5, -2]]], np.float32)


def random_features(height: int = 16, width: int = 24, channels: int = 3) -> np.ndarray:
    shape = (1, height, width, channels)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def sample_points(box: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns in pixels of the points that a crop samples."""
    steps = (np.arange(size) + 0.5) / size
    top, left, bottom, right = box.astype(np.float64)
    return top + (bottom - top) * steps, left + (right - left) * steps


def crop_scipy(features: np.ndarray, box: np.ndarray, size: int, stride: int) -> np.ndarray:
    """One crop; the centre of cell k lies at `(k + 1 / 2) * stride`."""
    rows, columns = (each / stride - 0.5 for each in sample_points(box, size))
    grid = np.meshgrid(rows, columns, indexing="ij")
    channels = [
        ndimage.map_coordinates(features[..., channel], grid, order=1, mode="nearest")
        for channel in range(features.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def test_crop_of_a_ramp_is_exact():
    rows, columns = np.mgrid[:16, :24].astype(np.float32) + 0.5
    ramp = (2 * rows - 3 * columns + 1)[None, ..., None]
    crops = crop_regions(ramp, BOXES, 7, array=np)
    assert crops.shape == (1, 3, 7, 7, 1)
    for crop, box in zip(crops[0], BOXES[0], strict=True):
        down, across = sample_points(box, 7)
        expected = 2 * down[:, None] - 3 * across[None] + 1
        np.testing.assert_allclose(crop[..., 0], expected, atol=2e-5)


def test_crop_at_whole_cells_copies_them():
    features = random_features()
    crops = crop_regions(features, np.array([[[2, 4, 10, 12]]], np.float32), 8, array=np)
    np.testing.assert_allclose(crops[0, 0], features[0, 2:10, 4:12], atol=1e-6)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("boxes", [BOXES, BEYOND], ids=["inside", "beyond"])
def test_crop_equals_scipy(boxes, stride):
    features = random_features()
    crops = crop_regions(features, boxes * stride, 5, stride, array=np)
    for crop, box in zip(crops[0], boxes[0] * stride, strict=True):
        np.testing.assert_allclose(crop, crop_scipy(features[0], box, 5, stride), atol=1e-5)


def test_boxes_of_a_batch_read_their_own_image():
    features = np.concatenate([random_features(), random_features() + 5])
    boxes = np.concatenate([BOXES, BOXES[:, ::-1]])
    crops = crop_regions(features, boxes, 6, array=np)
    for index in range(2):
        alone = crop_regions(features[index : index + 1], boxes[index : index + 1], 6, array=np)
        np.testing.assert_allclose(crops[index], alone[0], atol=1e-6)


@pytest.mark.parametrize("stride", [1, 4])
def test_pasted_ones_fill_the_cells_whose_centre_is_in_the_box(stride):
    boxes = np.array([[[2, 4, 10, 12], [1.3, 2.7, 9.1, 17.9], [-4, 20, 3, 40]]], np.float32)
    maps = paste_regions(np.ones((1, 3, 28, 28)), boxes * stride, (16, 24), stride, array=np)
    down, across = np.arange(16) + 0.5, np.arange(24) + 0.5
    for pasted, (top, left, bottom, right) in zip(maps[0], boxes[0], strict=True):
        inside = np.outer((down > top) & (down < bottom), (across > left) & (across < right))
        np.testing.assert_allclose(pasted, inside, atol=1e-6)
        assert not pasted[~inside].any()


@pytest.mark.parametrize("box", [[3, 3, 3, 3], [8, 8, 2, 2], [40, 40, 50, 50]])
def test_nothing_is_pasted_from_an_empty_or_outer_box(box):
    maps = paste_regions(np.ones((1, 1, 4, 4)), np.array([[box]], np.float32), (16, 24), array=np)
    assert not maps.any()


def test_pasted_crop_equals_scipy():
    crop = np.random.default_rng(1).random((1, 1, 9, 9)).astype(np.float32)
    top, left, bottom, right = box = (2.0, 3.0, 14.0, 21.0)
    pasted = paste_regions(crop, np.array([[box]], np.float32), (16, 24), array=np)[0, 0]
    rows = (np.arange(2, 14) + 0.5 - top) / (bottom - top) * 9 - 0.5
    columns = (np.arange(3, 21) + 0.5 - left) / (right - left) * 9 - 0.5
    grid = np.meshgrid(rows, columns, indexing="ij")
    expected = ndimage.map_coordinates(crop[0, 0], grid, order=1, mode="nearest")
    np.testing.assert_allclose(pasted[2:14, 3:21], expected, atol=1e-5)


def test_a_smooth_mask_survives_pasting_and_cropping():
    rows, columns = np.mgrid[:14, :14] - 6.5
    mask = np.exp(-(rows**2 + columns**2) / 40).astype(np.float32)[None, None]
    box = np.array([[[4.5, 6.25, 50.5, 58.75]]], np.float32)
    pasted = paste_regions(mask, box, (64, 64), array=np)
    back = crop_regions(pasted[0][..., None], box, 14, array=np)[0, 0, ..., 0]
    # The crop reads between pixels, and so across the edge of the box at its border.
    np.testing.assert_allclose(back[1:-1, 1:-1], mask[0, 0, 1:-1, 1:-1], atol=0.02)


@pytest.mark.parametrize("boxes", [BOXES, BEYOND], ids=["inside", "beyond"])
def test_tensors_and_arrays_agree(boxes):
    features = random_features()
    crops = crop_regions(ops.convert_to_tensor(features), ops.convert_to_tensor(4 * boxes), 6, 4)
    expected = crop_regions(features, 4 * boxes, 6, 4, array=np)
    np.testing.assert_allclose(ops.convert_to_numpy(crops), expected, atol=1e-5)
    masks = np.random.default_rng(2).random((1, 3, 28, 28)).astype(np.float32)
    tensors = [ops.convert_to_tensor(each) for each in (masks, 4 * boxes)]
    maps = paste_regions(*tensors, (16, 24), 4)
    expected = paste_regions(masks, 4 * boxes, (16, 24), 4, array=np)
    np.testing.assert_allclose(ops.convert_to_numpy(maps), expected, atol=1e-5)
