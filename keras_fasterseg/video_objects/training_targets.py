"""Training targets of one frame, computed from its masks."""

import numpy as np
from scipy import ndimage

from keras_fasterseg.video_objects.davis import BACKGROUND, VOID
from keras_fasterseg.video_objects.object_heads import (
    FOREGROUND_STRIDE,
    MARGIN,
    MASK_SIDE,
    STRIDE,
)
from keras_fasterseg.video_objects.regions import crop_regions

Size = tuple[int, int]

_LEAST_PIXELS = 16
# Standard deviation of a centre's bell, as a share of the object's side, and its minimum in cells.
_SPREAD = 0.12
_LEAST_SPREAD = 0.8
# Largest shift of a training box as a share of its side, and largest factor of its sides.
_SHIFT = 0.08
_SCALE = 1.15


def object_boxes(ids: np.ndarray) -> dict[int, tuple[int, int, int, int]]:
    """Top, left, bottom and right (exclusive) of every object's visible part, by id.

    Objects of fewer than 16 pixels are left out.
    """
    boxes = {}
    counts = np.bincount(ids.ravel(), minlength=256)
    for number, area in enumerate(ndimage.find_objects(ids), 1):
        if area is not None and number != VOID and counts[number] >= _LEAST_PIXELS:
            rows, columns = area
            boxes[number] = (rows.start, columns.start, rows.stop, columns.stop)
    return boxes


def boundary_map(ids: np.ndarray) -> np.ndarray:
    """True where the dilation of an object's mask by 3 x 3 exceeds its erosion, `(height, width)`.

    Void pixels count as background here; the loss leaves them out.
    """
    values = np.where(ids == VOID, BACKGROUND, ids)
    # A pixel is in dilation minus erosion of some mask if another id is next to it.
    return ndimage.maximum_filter(values, 3) != ndimage.minimum_filter(values, 3)


def training_targets(
    ids: np.ndarray,
    identities: dict[int, int],
    objects: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Boxes and targets of one frame.

    Args:
        ids: uint8 `(height, width)`: 0 background, 255 void.
        identities: Number of every object among all objects of the training set, by id.
        objects: Number of places for objects; if a frame has more, some are drawn at random.
        rng: Source of the boxes' random shifts.

    Returns:
        `boxes` `(objects, 4)`: boxes to predict masks in, a little off and `MARGIN` times as large
        as the objects; `present` `(objects,)`: 1 for places in use; `identities` `(objects,)`;
        `masks` `(objects, 28, 28)`, where void is background. At 1/4: `centers`, a bell of height 1
        for every object; `sizes` with 3 channels, the logarithms of height and width, and 1 at
        centres; `boundaries`; `valid` and `valid_boundaries`, 0 at void pixels, those of boundaries
        also beside them. At 1/8: `foreground` and `valid_foreground`. All are float32, but
        `identities` int32.
    """
    height, width = ids.shape
    rows, columns = height // STRIDE, width // STRIDE
    found = object_boxes(ids)
    numbers = sorted(found)
    if len(numbers) > objects:
        numbers = sorted(rng.choice(numbers, objects, replace=False).tolist())
    targets = {
        "boxes": np.tile(np.array([0, 0, height, width], np.float32), (objects, 1)),
        "present": np.zeros(objects, np.float32),
        "identities": np.zeros(objects, np.int32),
        "masks": np.zeros((objects, MASK_SIDE, MASK_SIDE), np.float32),
        "centers": np.zeros((rows, columns), np.float32),
        "sizes": np.zeros((rows, columns, 3), np.float32),
    }
    # All objects have a centre, also those without a place.
    for box in found.values():
        _add_center(targets["centers"], targets["sizes"], box)
    for place, number in enumerate(numbers):
        box = _moved(found[number], rng)
        target = (ids == number).astype(np.float32)[None, ..., None]
        targets["boxes"][place] = box
        targets["present"][place] = 1
        targets["identities"][place] = identities[number]
        crop = crop_regions(target, box[None, None], MASK_SIDE, array=np)
        targets["masks"][place] = crop[0, 0, ..., 0]
    is_object = ((ids != BACKGROUND) & (ids != VOID)).astype(np.float32)
    # A boundary with void is none, so the pixels beside void do not count either.
    void = (ids == VOID).astype(np.float32)
    valid, valid_boundary = 1 - void, 1 - ndimage.maximum_filter(void, 3)
    return {
        **targets,
        "boundaries": _pooled(boundary_map(ids).astype(np.float32), STRIDE, np.max),
        "foreground": _pooled(is_object, FOREGROUND_STRIDE, np.mean),
        "valid": _pooled(valid, STRIDE, np.min),
        "valid_boundaries": _pooled(valid_boundary, STRIDE, np.min),
        "valid_foreground": _pooled(valid, FOREGROUND_STRIDE, np.min),
    }


def _add_center(centers: np.ndarray, sizes: np.ndarray, box: tuple[int, int, int, int]) -> None:
    top, left, bottom, right = box
    sides = bottom - top, right - left
    middle = (top + bottom) / 2 / STRIDE, (left + right) / 2 / STRIDE
    cell = tuple(
        min(int(each), count - 1) for each, count in zip(middle, centers.shape, strict=True)
    )
    bells = [
        _bell(count, place, side / STRIDE)
        for count, place, side in zip(centers.shape, cell, sides, strict=True)
    ]
    np.maximum(centers, np.outer(*bells), out=centers)
    sizes[cell] = (*np.log(sides), 1)


def _bell(count: int, place: int, side: float) -> np.ndarray:
    spread = max(_LEAST_SPREAD, _SPREAD * side)
    return np.exp(-0.5 * ((np.arange(count) - place) / spread) ** 2)


def _moved(box: tuple[int, int, int, int], rng: np.random.Generator) -> np.ndarray:
    top, left, bottom, right = box
    sides = np.array([bottom - top, right - left], np.float32)
    middle = np.array([top + bottom, left + right], np.float32) / 2
    middle += rng.uniform(-_SHIFT, _SHIFT, 2) * sides
    sides *= MARGIN * _SCALE ** rng.uniform(-1, 1, 2)
    return np.concatenate([middle - sides / 2, middle + sides / 2]).astype(np.float32)


def _pooled(values: np.ndarray, stride: int, reduce) -> np.ndarray:
    height, width = values.shape
    blocks = values.reshape(height // stride, stride, width // stride, stride)
    return reduce(blocks, axis=(1, 3)).astype(np.float32)
