"""The font of pictures that Pillow draws."""

import pathlib

from PIL import ImageFont


def load_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, `size` pixels high; it has Latin, Greek, Cyrillic and other letters."""
    # Pillow's own font lacks accents, and matplotlib brings this one.
    import matplotlib

    path = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def font_size(width: int) -> int:
    """Pixels that letters are high in a picture that is `width` pixels wide."""
    return min(32, max(12, width // 48))
