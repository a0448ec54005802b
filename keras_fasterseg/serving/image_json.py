"""Images as nested lists in JSON, written without Python's lists.

As Python objects, the numbers of an image are a list a pixel, and so many new objects let Python's
garbage collector go through all that TensorFlow has: `json.dumps(images.tolist())` then takes a
third of a second for the smallest image, every few calls.
"""

import numpy as np

# Spaces before a number are allowed, and give all numbers one width.
_DIGITS = np.array([list(f"{value:3d}".encode()) for value in range(256)], np.uint8)
_OPEN, _CLOSE, _COMMA = b"[],"


def image_json(images: np.ndarray) -> bytes:
    """JSON of `images.tolist()`.

    Args:
        images: uint8 array of two or more axes, none of them empty.
    """
    # One row of characters a number, the last of them the comma that follows.
    text = _with_commas(_DIGITS[images])
    for _ in range(images.ndim):
        text = _with_commas(_bracketed(text))
    # All is one list by now, and nothing follows it.
    return text.tobytes()[:-1]


def _bracketed(text: np.ndarray) -> np.ndarray:
    """`(..., items, characters)` to `(..., characters)`, each a list of the items."""
    joined = text.reshape(*text.shape[:-2], -1)
    opening = np.full((*joined.shape[:-1], 1), _OPEN, np.uint8)
    joined = np.concatenate([opening, joined], axis=-1)
    # In place of the comma after the last item.
    joined[..., -1] = _CLOSE
    return joined


def _with_commas(text: np.ndarray) -> np.ndarray:
    return np.concatenate([text, np.full((*text.shape[:-1], 1), _COMMA, np.uint8)], axis=-1)
