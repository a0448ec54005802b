"""Text in pictures: fonts for many scripts, line wrapping and placement."""

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
    """A font with fallbacks: each letter is drawn in the first font that has it.

    Letters that no font has are drawn as a question mark, never as an empty box.

    Args:
        text_size: Height of letters in pixels.

    Raises:
        ModuleNotFoundError: matplotlib, which contains the first font, is not installed.
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
        """Draws `text` with the middle of its left edge at `position`."""
        left, middle = position
        runs = self._runs(text)
        if len(runs) == 1:
            draw.text(position, runs[0][1], fill=color, font=runs[0][0], anchor="lm")
            return
        ascent, descent = self._fonts[0].getmetrics()
        for font, part in runs:
            # All parts share one baseline.
            place = (left, middle + (ascent - descent) // 2)
            draw.text(place, part, fill=color, font=font, anchor="ls")
            left += font.getlength(part)

    def _runs(self, text: str) -> list[tuple[ImageFont.FreeTypeFont, str]]:
        return [(self._fonts[index], part) for index, part in font_runs(text)]


def font_runs(text: str) -> list[tuple[int, str]]:
    """Splits `text` into parts, each with the index in `font_paths` of a font for its letters."""
    runs: list[tuple[int, str]] = []
    for letter in shown(text):
        having = [number for number, glyphs in enumerate(_glyphs()) if ord(letter) in glyphs]
        # Combining marks and spaces belong to the letter before them.
        joins = bool(unicodedata.combining(letter)) or letter == " "
        if runs and (not having or runs[-1][0] == having[0] or (joins and runs[-1][0] in having)):
            runs[-1] = (runs[-1][0], runs[-1][1] + letter)
        else:
            runs.append((having[0] if having else 0, letter))
    return runs


def shown(text: str) -> str:
    """Returns `text` with a question mark for every letter that no font has."""
    return "".join(letter if _is_drawn(letter) else _UNKNOWN for letter in text)


@functools.cache
def drawn_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Class names as shown in pictures: `class 3` if a letter of the name is in no font.

    Logs one warning that lists the replaced names.
    """
    missing = {
        f"class {number}": name
        for number, name in enumerate(names)
        if not all(map(_is_drawn, name))
    }
    if missing:
        logging.warning(
            "Installed fonts lack letters of %s; pictures show %s.",
            ", ".join(missing.values()),
            "it as " + ", ".join(missing) if len(missing) == 1 else "them as " + ", ".join(missing),
        )
    return tuple(
        name if f"class {number}" not in missing else f"class {number}"
        for number, name in enumerate(names)
    )


@functools.cache
def font_paths() -> tuple[pathlib.Path, ...]:
    """The font files: DejaVu Sans, and Noto Sans CJK if it is installed."""
    # Imported here: it is slow, and most of the library needs no pictures.
    import matplotlib

    paths = [pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"]
    package = importlib.util.find_spec(_CJK_PACKAGE)
    if package is not None and package.origin is not None:
        paths.append(pathlib.Path(package.origin).with_name(_CJK_FONT))
    return tuple(path for path in paths if path.is_file())


def _is_drawn(letter: str) -> bool:
    # Format characters, such as joiners and direction marks, are invisible.
    is_invisible = unicodedata.category(letter) == "Cf"
    return is_invisible or any(ord(letter) in glyphs for glyphs in _glyphs())


@functools.cache
def _glyphs() -> tuple[frozenset[int], ...]:
    """The letters of each font, as code points."""
    from matplotlib.ft2font import FT2Font

    return tuple(frozenset(FT2Font(str(path)).get_charmap()) for path in font_paths())


def text_size_for(width: int) -> int:
    """Height of letters, in pixels, for a picture `width` pixels wide."""
    return min(32, max(12, width // 48))


def line_height(font: Font) -> int:
    """Pixels from one line to the next."""
    return round(1.5 * font.size)


def wrapped(text: str, font: Font, width: float) -> list[str]:
    """Wraps `text` to lines of at most `width` pixels, at spaces, or within words if necessary."""
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
    """Cuts the start of `text` to fit `width` pixels; names usually differ at the end."""
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
    """Draws `lines` below one another; `corner` `(x, y)` is their upper left corner."""
    height = line_height(font)
    for number, text in enumerate(lines):
        middle = corner[1] + number * height + height // 2
        font.draw(draw, (corner[0], middle), text, color)
