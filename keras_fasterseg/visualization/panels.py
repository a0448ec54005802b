"""Pictures side by side or above each other, with titles."""

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
    pictures: Sequence[Image.Image], titles: Sequence[str] | None = None
) -> Image.Image:
    """RGB pictures of one size from left to right; each title stands above its own, unshortened."""
    panels = list(pictures)
    if titles is not None:
        strips = _titles(titles, panels[0].width)
        panels = [below(strip, panel) for strip, panel in zip(strips, panels, strict=True)]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    joined = Image.new("RGB", (width, max(panel.height for panel in panels)), "white")
    left = 0
    for panel in panels:
        joined.paste(panel, (left, 0))
        left += panel.width + GAP
    return joined


def below(top: Image.Image, bottom: Image.Image) -> Image.Image:
    """One picture above another, both at the left edge."""
    joined = Image.new("RGB", (max(top.width, bottom.width), top.height + bottom.height), "white")
    joined.paste(top, (0, 0))
    joined.paste(bottom, (0, top.height))
    return joined


def _titles(titles: Sequence[str], width: int) -> list[Image.Image]:
    """A strip a title, all of one height."""
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
