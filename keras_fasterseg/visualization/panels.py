"""Pictures side by side or above each other, with titles."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from keras_fasterseg.visualization.font import font_size, load_font
from keras_fasterseg.visualization.legend import INK, PAPER

GAP = 4
"""Pixels between two pictures."""


def side_by_side(
    pictures: Sequence[Image.Image], titles: Sequence[str] | None = None
) -> Image.Image:
    """RGB pictures of one size from left to right; each title stands above its own, unshortened."""
    panels = list(pictures)
    if titles is not None:
        strips = _titles(titles, panels[0].width)
        panels = [below(strip, panel) for strip, panel in zip(strips, panels, strict=True)]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    joined = Image.new("RGB", (width, max(panel.height for panel in panels)), PAPER)
    left = 0
    for panel in panels:
        joined.paste(panel, (left, 0))
        left += panel.width + GAP
    return joined


def below(top: Image.Image, bottom: Image.Image) -> Image.Image:
    """One picture above another, both at the left edge."""
    joined = Image.new("RGB", (max(top.width, bottom.width), top.height + bottom.height), PAPER)
    joined.paste(top, (0, 0))
    joined.paste(bottom, (0, top.height))
    return joined


def _titles(titles: Sequence[str], width: int) -> list[Image.Image]:
    """A strip a title, all of one height."""
    size = font_size(width)
    font, margin, line_height = load_font(size), size // 2, 5 * size // 4
    wrapped = [_wrapped(title, font, width - 2 * margin) for title in titles]
    height = 2 * margin + line_height * max(len(lines) for lines in wrapped)
    strips = []
    for lines in wrapped:
        strip = Image.new("RGB", (width, height), PAPER)
        draw = ImageDraw.Draw(strip)
        for index, line in enumerate(lines):
            middle = margin + index * line_height + line_height // 2
            draw.text((margin, middle), line, INK, font, anchor="lm")
        strips.append(strip)
    return strips


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines no wider than `width`, broken anywhere: paths have no spaces."""
    lines = [""]
    for character in text:
        if lines[-1] and font.getlength(lines[-1] + character) > width:
            lines.append("")
        lines[-1] += character
    return lines
