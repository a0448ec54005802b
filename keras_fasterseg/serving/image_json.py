"""Writes images as nested JSON lists, without creating Python lists.

`json.dumps(images.tolist())` creates one Python list per pixel. So many new objects make the
garbage collector scan all of TensorFlow's objects: every few calls, even the smallest image then
takes a third of a second.
"""

import numpy as np

# JSON allows spaces before a number; they give all numbers the same width.
_DIGITS = np.array([list(f"{value:3d}".encode()) for value in range(256)], np.uint8)
_OPEN, _CLOSE, _COMMA = b"[],"


def image_json(images: np.ndarray) -> bytes:
    """JSON of `images.tolist()`.

    Args:
        images: uint8 array of two or more axes, none of them empty.
    """
    # One row of characters per number, ending with a comma.
    text = _with_commas(_DIGITS[images])
    for _ in range(images.ndim):
        text = _with_commas(_bracketed(text))
    # The text is now a single list; this removes the comma after it.
    return text.tobytes()[:-1]


def _bracketed(text: np.ndarray) -> np.ndarray:
    """Joins `(..., items, characters)` to `(..., characters)`, each a list of the items."""
    joined = text.reshape(*text.shape[:-2], -1)
    opening = np.full((*joined.shape[:-1], 1), _OPEN, np.uint8)
    joined = np.concatenate([opening, joined], axis=-1)
    # Replaces the comma after the last item.
    joined[..., -1] = _CLOSE
    return joined


def _with_commas(text: np.ndarray) -> np.ndarray:
    return np.concatenate([text, np.full((*text.shape[:-1], 1), _COMMA, np.uint8)], axis=-1)
