"""A legend of class names and colours, as a separate picture to put below others."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from keras_fasterseg.visualization.text import Font, draw_lines, line_height, wrapped

_EDGE = "#999999"
_GAP = 24

# A name and its RGB colour; `None` for entries without a colour, such as ignored pixels.
LegendEntry = tuple[str, tuple[int, int, int] | None]


def class_legend(
    entries: Sequence[LegendEntry], width: int, text_size: int = 15, margin: int = 0
) -> Image.Image:
    """A white picture of all entries, in rows from left to right; no name is cut off.

    Args:
        entries: Names and colours; the swatches have exactly these colours.
        width: Width of the picture in pixels; the height depends on the entries.
        text_size: Height of the letters in pixels.
        margin: White margin on every side, in pixels.

    Raises:
        ModuleNotFoundError: matplotlib, which contains the font, is not installed.
    """
    font = Font(text_size)
    line = line_height(font)
    indent = 2 * text_size + text_size // 2
    inner = width - 2 * margin
    texts = [wrapped(name, font, inner - indent) for name, _ in entries]
    widest = max((font.getlength(part) for text in texts for part in text), default=0)
    columns = max(1, int((inner + _GAP) // (indent + widest + _GAP)))
    # As few columns as this number of rows needs, to avoid a nearly empty last row.
    columns = math.ceil(len(entries) / max(1, math.ceil(len(entries) / columns))) or 1
    rows = [slice(start, start + columns) for start in range(0, len(entries), columns)]
    heights = [line * max(len(text) for text in texts[row]) for row in rows]

    picture = Image.new("RGB", (width, max(1, sum(heights) + 2 * margin)), "white")
    draw = ImageDraw.Draw(picture)
    top = margin
    for row, height in zip(rows, heights, strict=True):
        for column, ((_, color), text) in enumerate(zip(entries[row], texts[row], strict=True)):
            left = margin + column * (inner + _GAP) // columns
            upper = top + (line - text_size) // 2
            box = (left, upper, left + 2 * text_size - 1, upper + text_size - 1)
            draw.rectangle(box, fill=color, outline=_EDGE)
            if color is None:
                draw.line(box, fill=_EDGE)
            draw_lines(draw, (left + indent, top), text, font)
        top += height
    return picture
