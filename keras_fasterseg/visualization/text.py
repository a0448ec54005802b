"""Text in pictures: fonts for every script, lines that fit, and their place."""

import functools
import importlib.util
import pathlib
import unicodedata
from collections.abc import Sequence

from absl import logging
from PIL import ImageDraw, ImageFont

INK = "#333333"
Color = str | tuple[int, int, int]
_CJK_PACKAGE, _CJK_FONT = "cvttf_NotoSansCJK_Regular", "NotoSansCJKtc-Regular.otf"
_UNKNOWN = "?"


class Font:
    """Fonts that stand in for one another, a letter each by the first that has it.

    A letter that none has is drawn as a question mark, never as an empty box.

    Args:
        text_size: Pixels that letters are high.

    Raises:
        ModuleNotFoundError: matplotlib, which brings the first font along, is not installed.
    """

    def __init__(self, text_size: int) -> None:
        self.size = text_size
        self._fonts = [ImageFont.truetype(path, text_size) for path in font_paths()]

    def getlength(self, text: str) -> float:
        """Width of `text` in pixels."""
        return sum(font.getlength(part) for font, part in self._runs(text))

    def draw(
        self, draw: ImageDraw.ImageDraw, position: tuple[float, float], text: str, color: Color
    ) -> None:
        """Writes `text`, whose left end has its middle height at `position`."""
        left, middle = position
        runs = self._runs(text)
        if len(runs) == 1:
            draw.text(position, runs[0][1], fill=color, font=runs[0][0], anchor="lm")
            return
        ascent, descent = self._fonts[0].getmetrics()
        for font, part in runs:
            # On one baseline.
            place = (left, middle + (ascent - descent) // 2)
            draw.text(place, part, fill=color, font=font, anchor="ls")
            left += font.getlength(part)

    def _runs(self, text: str) -> list[tuple[ImageFont.FreeTypeFont, str]]:
        return [(self._fonts[index], part) for index, part in font_runs(text)]


def font_runs(text: str) -> list[tuple[int, str]]:
    """`text` in parts, each with the number of the font in `font_paths` that has its letters."""
    runs: list[tuple[int, str]] = []
    for letter in shown(text):
        having = [number for number, glyphs in enumerate(_glyphs()) if ord(letter) in glyphs]
        # Marks and blanks belong to what is before them.
        joins = bool(unicodedata.combining(letter)) or letter == " "
        if runs and (not having or runs[-1][0] == having[0] or (joins and runs[-1][0] in having)):
            runs[-1] = (runs[-1][0], runs[-1][1] + letter)
        else:
            runs.append((having[0] if having else 0, letter))
    return runs


def shown(text: str) -> str:
    """`text` with a question mark for every letter that no font has."""
    return "".join(letter if _is_drawn(letter) else _UNKNOWN for letter in text)


@functools.cache
def drawn_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of classes as pictures show them: `class 3` where no font has all letters of a name.

    A warning says which these are, once.
    """
    missing = {
        f"class {number}": name
        for number, name in enumerate(names)
        if not all(map(_is_drawn, name))
    }
    if missing:
        logging.warning(
            "No installed font has all letters of %s; pictures call %s.",
            ", ".join(missing.values()),
            "it " + ", ".join(missing) if len(missing) == 1 else "them " + ", ".join(missing),
        )
    return tuple(
        name if f"class {number}" not in missing else f"class {number}"
        for number, name in enumerate(names)
    )


@functools.cache
def font_paths() -> tuple[pathlib.Path, ...]:
    """The font files: DejaVu Sans, and Noto Sans CJK where it is installed."""
    # Imported here: it takes long, and most of the library does without pictures.
    import matplotlib

    paths = [pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"]
    package = importlib.util.find_spec(_CJK_PACKAGE)
    if package is not None and package.origin is not None:
        paths.append(pathlib.Path(package.origin).with_name(_CJK_FONT))
    return tuple(path for path in paths if path.is_file())


def _is_drawn(letter: str) -> bool:
    # Such as joiners and marks of direction, which have no picture of their own.
    is_invisible = unicodedata.category(letter) == "Cf"
    return is_invisible or any(ord(letter) in glyphs for glyphs in _glyphs())


@functools.cache
def _glyphs() -> tuple[frozenset[int], ...]:
    """The letters of each font, as code points."""
    from matplotlib.ft2font import FT2Font

    return tuple(frozenset(FT2Font(str(path)).get_charmap()) for path in font_paths())


def text_size_for(width: int) -> int:
    """Pixels that letters are high in a picture that is `width` pixels wide."""
    return min(32, max(12, width // 48))


def line_height(font: Font) -> int:
    """Pixels from one line to the next."""
    return round(1.5 * font.size)


def wrapped(text: str, font: Font, width: float) -> list[str]:
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


def shortened(text: str, font: Font, width: float) -> str:
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
    font: Font,
    color: Color = INK,
) -> None:
    """Writes `lines` below one another, from their upper left `corner` `(x, y)` on."""
    height = line_height(font)
    for number, text in enumerate(lines):
        middle = corner[1] + number * height + height // 2
        font.draw(draw, (corner[0], middle), text, color)
