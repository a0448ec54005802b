"""Resizes an image and computes only a window of the result, in NumPy."""

import numpy as np


def bilinear_window(
    image: np.ndarray, size: tuple[int, int], rows: slice, columns: slice
) -> np.ndarray:
    """A window of an image that is resized bilinearly, without antialiasing.

    The same as `tf.image.resize(image, size)[rows, columns]`: pixels are squares, so that pixel
    `i` of the result has its centre at `(i + 1/2) * before / after - 1/2` in the image.

    Args:
        image: `(height, width, channels)` uint8.
        size: Height and width of the whole result.
        rows: Rows of the result, from a start to a stop.
        columns: Columns of the result, likewise.

    Returns:
        float32 of `rows`, `columns` and the channels.
    """
    height, width, channels = image.shape
    if size == (height, width):
        return image[rows, columns].astype(np.float32)
    top, bottom, row_weights = _neighbours(height, size[0], rows)
    left, right, column_weights = _neighbours(width, size[1], columns)
    first_row, first_column = top[0], left[0]
    part = image[first_row : bottom[-1] + 1, first_column : right[-1] + 1]
    # One axis for columns and channels: NumPy gathers single bytes much faster than triples.
    flat = part.reshape(len(part), -1)
    each = np.arange(channels)
    before, after = (
        np.take(flat, (channels * (at - first_column)[:, None] + each).ravel(), axis=1)
        for at in (left, right)
    )
    across = _blended(before, after, np.repeat(column_weights, channels))
    both = _blended(across[top - first_row], across[bottom - first_row], row_weights[:, None])
    return both.reshape(len(top), len(left), channels)


def nearest_window(
    label: np.ndarray, size: tuple[int, int], rows: slice, columns: slice
) -> np.ndarray:
    """A window of a label `(height, width)` that is resized by nearest neighbour.

    The same as `tf.image.resize(…, size, method="nearest")[rows, columns]`.
    """
    rows_at, columns_at = (
        np.minimum(_positions(before, after, part).astype(int), before - 1)
        for before, after, part in zip(label.shape, size, (rows, columns), strict=True)
    )
    return label[rows_at][:, columns_at]


def _positions(before: int, after: int, part: slice) -> np.ndarray:
    """Centres of the `part` of `after` pixels, in `before` pixels, as float32."""
    # In float32, so that rounding is TensorFlow's.
    step = np.float32(before) / np.float32(after)
    return (np.arange(part.start, part.stop, dtype=np.float32) + np.float32(0.5)) * step


def _neighbours(before: int, after: int, part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two pixels around each position, and the weight of the second one."""
    centres = _positions(before, after, part) - np.float32(0.5)
    floors = np.floor(centres)
    return (
        np.maximum(floors.astype(int), 0),
        np.minimum(np.ceil(centres).astype(int), before - 1),
        centres - floors,
    )


def _blended(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`first + (second - first) * weights` in float32; `second` may be overwritten."""
    blended = second.astype(np.float32, copy=False)
    blended -= first
    blended *= weights
    blended += first
    return blended
