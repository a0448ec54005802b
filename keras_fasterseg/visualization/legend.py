"""Names of classes beside their colours."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from keras_fasterseg.visualization.font import font_size, load_font

INK = (30, 30, 30)
PAPER = (255, 255, 255)
_OUTLINE = (120, 120, 120)

Entry = tuple[str, Sequence[int]]


def legend_picture(entries: Sequence[Entry], width: int) -> Image.Image:
    """The entries in as few rows as fit, from left to right.

    Args:
        entries: Name and RGB colour of each class.
        width: Least width, in pixels; it grows where one name alone needs more.

    Returns:
        An RGB picture, as high as the entries need.
    """
    size = font_size(width)
    font, margin, swatch = load_font(size), size // 2, size
    indent = swatch + size // 2
    texts = [name for name, _ in entries]
    column = indent + math.ceil(max((font.getlength(text) for text in texts), default=0))
    gap = size
    rows = math.ceil(len(entries) / max(1, (width - 2 * margin + gap) // (column + gap)))
    # No more columns than these rows need, so that the last one is not nearly empty.
    columns = math.ceil(len(entries) / max(1, rows))
    row_height = 3 * size // 2
    picture = Image.new(
        "RGB", (max(width, 2 * margin + column), 2 * margin + rows * row_height), PAPER
    )
    draw = ImageDraw.Draw(picture)
    for index, (name, color) in enumerate(entries):
        row, place = divmod(index, columns)
        left, middle = margin + place * (column + gap), margin + row * row_height + row_height // 2
        top = middle - swatch // 2
        draw.rectangle(
            (left, top, left + swatch - 1, top + swatch - 1), fill=tuple(color), outline=_OUTLINE
        )
        draw.text((left + indent, middle), name, INK, font, anchor="lm")
    return picture
