"""Bilinear crops of feature maps at boxes, and the way back from a crop to the map.

Both are products of interpolation matrices, so shapes are static, gradients exist on every
backend, and exports need no special operation. All functions work on tensors, and with
`array=numpy` on NumPy arrays.
"""

from typing import Any

from keras import ops

Tensor = Any
Size = tuple[int, int]


def crop_regions(
    features: Tensor, boxes: Tensor, size: int, stride: int = 1, array: Any = ops
) -> Tensor:
    """Samples `size` x `size` points of every box, at the centres of a grid of equal cells.

    Points outside the map take the value of its border.

    Args:
        features: `(batch, height, width, channels)`.
        boxes: `(batch, objects, 4)`: top, left, bottom, right in pixels of the image.
        size: Number of points along each side of a box.
        stride: Pixels of the image per cell of `features`.
        array: Module of array functions: `keras.ops` or `numpy`.

    Returns:
        `(batch, objects, size, size, channels)`.
    """
    _, height, width, channels = features.shape
    objects = boxes.shape[1]
    rows = _samples(boxes[..., 0], boxes[..., 2], size, height, stride, array)
    columns = _samples(boxes[..., 1], boxes[..., 3], size, width, stride, array)
    rows = array.reshape(rows, (-1, objects * size, height))
    crops = array.matmul(rows, array.reshape(features, (-1, height, width * channels)))
    crops = array.reshape(crops, (-1, objects, size, width, channels))
    return array.matmul(columns[:, :, None], crops)


def paste_regions(
    crops: Tensor, boxes: Tensor, size: Size, stride: int = 1, array: Any = ops
) -> Tensor:
    """Maps of which each shows one crop in its box, and zero elsewhere.

    Args:
        crops: `(batch, objects, side, side)`.
        boxes: `(batch, objects, 4)`: top, left, bottom, right in pixels of the image.
        size: Height and width of the maps.
        stride: Pixels of the image per cell of a map.
        array: Module of array functions: `keras.ops` or `numpy`.

    Returns:
        `(batch, objects, *size)`.
    """
    side = crops.shape[-1]
    rows = _readings(boxes[..., 0], boxes[..., 2], side, size[0], stride, array)
    columns = _readings(boxes[..., 1], boxes[..., 3], side, size[1], stride, array)
    return array.matmul(array.matmul(rows, crops), array.swapaxes(columns, -1, -2))


def _samples(start: Tensor, end: Tensor, count: int, length: int, stride: int, array: Any):
    """Weights `(batch, objects, count, length)` of the cells for every sampled point."""
    steps = (array.arange(count, dtype="float32") + 0.5) / count
    points = start[..., None] + (end - start)[..., None] * steps
    cells = array.clip(points / stride - 0.5, 0.0, length - 1.0)
    numbers = array.arange(length, dtype="float32")
    return array.maximum(0.0, 1.0 - array.abs(cells[..., None] - numbers))


def _readings(start: Tensor, end: Tensor, count: int, length: int, stride: int, array: Any):
    """Weights `(batch, objects, length, count)` of the crop's points for every cell of a map."""
    extent = array.maximum(end - start, 1e-3)[..., None]
    centers = (array.arange(length, dtype="float32") + 0.5) * stride
    places = (centers - start[..., None]) / extent
    points = array.clip(places * count - 0.5, 0.0, count - 1.0)
    numbers = array.arange(count, dtype="float32")
    weights = array.maximum(0.0, 1.0 - array.abs(points[..., None] - numbers))
    inside = array.abs(places - 0.5) < 0.5
    return array.where(inside[..., None], weights, array.zeros_like(weights))
