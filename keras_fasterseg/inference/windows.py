"""Positions of the windows that cover an image."""

import math


def window_starts(length: int, window: int, overlap: float) -> list[int]:
    """Start positions of evenly spread windows that together cover `length` pixels.

    Args:
        length: Pixels to cover.
        window: Pixels of a window; more than `length` counts as `length`.
        overlap: Minimum share of a window that overlaps the next one, in [0, 1).

    Returns:
        The first pixel of every window; the first is 0 and the last ends with the image.

    Raises:
        ValueError: A number of pixels is below 1, or the share is not in [0, 1).
    """
    if min(length, window) < 1 or not 0 <= overlap < 1:
        raise ValueError(
            "`length` and `window` must be at least 1 and `overlap` in [0, 1). "
            f"Received: length={length}, window={window}, overlap={overlap}"
        )
    free = length - window
    if free <= 0:
        return [0]
    # With an integer stride, rounding in the even spread never exceeds it.
    stride = max(1, math.floor(window * (1 - overlap)))
    steps = math.ceil(free / stride)
    return [free * step // steps for step in range(steps + 1)]
