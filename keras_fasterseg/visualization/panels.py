"""Joins pictures side by side or vertically, with titles."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from keras_fasterseg.visualization.text import (
    Font,
    draw_lines,
    line_height,
    text_size_for,
    wrapped,
)

GAP = 4
"""Pixels between two pictures."""


def side_by_side(
    pictures: Sequence[Image.Image], titles: Sequence[str] | None = None, gap: int = GAP
) -> Image.Image:
    """Joins RGB pictures from left to right, each below its title, which is never shortened.

    With titles, all pictures must have the same size.
    """
    panels = list(pictures)
    if titles is not None:
        strips = _titles(titles, panels[0].width)
        panels = [stacked(pair) for pair in zip(strips, panels, strict=True)]
    width = sum(panel.width for panel in panels) + gap * (len(panels) - 1)
    joined = Image.new("RGB", (width, max(panel.height for panel in panels)), "white")
    left = 0
    for panel in panels:
        joined.paste(panel, (left, 0))
        left += panel.width + gap
    return joined


def stacked(pictures: Sequence[Image.Image], gap: int = 0, margin: int = 0) -> Image.Image:
    """Joins RGB pictures vertically on white, left-aligned, with a margin around all of them."""
    width = max(picture.width for picture in pictures) + 2 * margin
    height = sum(picture.height + gap for picture in pictures) - gap + 2 * margin
    joined = Image.new("RGB", (width, height), "white")
    top = margin
    for picture in pictures:
        joined.paste(picture, (margin, top))
        top += picture.height + gap
    return joined


def _titles(titles: Sequence[str], width: int) -> list[Image.Image]:
    """One strip per title, all of the same height."""
    font = Font(text_size_for(width))
    margin = text_size_for(width) // 2
    texts = [wrapped(title, font, width - 2 * margin) for title in titles]
    height = 2 * margin + line_height(font) * max(map(len, texts))
    strips = []
    for lines in texts:
        strip = Image.new("RGB", (width, height), "white")
        draw_lines(ImageDraw.Draw(strip), (margin, margin), lines, font)
        strips.append(strip)
    return strips
