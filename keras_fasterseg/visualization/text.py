"""Text in pictures that Pillow draws: a font, lines that fit, and their place."""

import pathlib
from collections.abc import Sequence

from PIL import ImageDraw, ImageFont

INK = "#333333"


def load_font(text_size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, `text_size` pixels high.

    Raises:
        ModuleNotFoundError: matplotlib, which brings the font along, is not installed.
    """
    # Imported here: it takes long, and most of the library does without pictures.
    import matplotlib

    path = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, text_size)


def text_size_for(width: int) -> int:
    """Pixels that letters are high in a picture that is `width` pixels wide."""
    return min(32, max(12, width // 48))


def line_height(font: ImageFont.FreeTypeFont) -> int:
    """Pixels from one line to the next."""
    return round(1.5 * font.size)


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """`text` in lines of at most `width` pixels, broken at blanks, and within words if need be."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return [line for line in lines if line] or [""]


def shortened(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """`text`, without its beginning if it is wider than `width` pixels: names differ at the end."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"…{text}") > width:
        text = text[1:]
    return f"…{text}"


def draw_lines(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    lines: Sequence[str],
    font: ImageFont.FreeTypeFont,
    color: str = INK,
) -> None:
    """Writes `lines` below one another, from their upper left `corner` `(x, y)` on."""
    height = line_height(font)
    for number, text in enumerate(lines):
        middle = corner[1] + number * height + height // 2
        draw.text((corner[0], middle), text, fill=color, font=font, anchor="lm")
