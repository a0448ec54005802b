import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from keras_fasterseg.visualization import text as text_module
from keras_fasterseg.visualization.text import (
    Font,
    draw_lines,
    drawn_names,
    font_paths,
    font_runs,
    line_height,
    shortened,
    shown,
    wrapped,
)

FONT = Font(15)
NAME = "an uncommonly long name of a class, such as traffic_light_of_pedestrians_at_night"


def test_lines_fit_and_nothing_is_lost():
    for width in (60, 130, 400):
        lines = wrapped(NAME, FONT, width)
        assert all(FONT.getlength(line) <= width for line in lines)
        assert "".join(lines).replace(" ", "") == NAME.replace(" ", "")
    assert wrapped(NAME, FONT, 2000) == [NAME]
    assert wrapped("two words", FONT, 50) == ["two", "words"]
    assert wrapped("", FONT, 50) == [""]


def test_shortened_names_keep_their_end():
    assert shortened("short.png", FONT, 400) == "short.png"
    short = shortened(f"{NAME}_000017.png", FONT, 150)
    assert short.startswith("…")
    assert short.endswith("_000017.png")
    assert FONT.getlength(short) <= 150


def test_lines_lie_below_one_another():
    height = line_height(FONT)
    picture = Image.new("L", (100, 3 * height), "white")
    draw_lines(ImageDraw.Draw(picture), (10, height), ["MMM", "MMM"], FONT, "black")
    ink = np.asarray(picture) < 128
    assert not ink[:height].any()
    assert not ink[:, :10].any()
    np.testing.assert_array_equal(ink[height : 2 * height], ink[2 * height :])
    assert ink[height:].sum() > 50
    # Neither line reaches into the next.
    assert not ink[[height, 2 * height - 1]].any()


# Names of roads in many scripts: Latin with marks, Cyrillic, Greek, Armenian, Georgian, Arabic,
# Hebrew, Chinese (both), Japanese, Korean, and what lies beyond 16 bits.
NAMES = (
    *("đường phố", "дорога", "δρόμος", "ճանապարհ", "გზა", "طريق سريع", "כביש", "道路", "路緣石"),
    *("歩道みち", "도로", "𠮷野家", "road 道路 дорога"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_letter_of_a_name_is_drawn(name):
    """Each by a font whose picture of it is not that of a letter that it lacks."""
    assert shown(name) == name
    assert "".join(part for _, part in font_runs(name)) == name
    font = Font(20)
    for number, part in font_runs(name):
        pillow = ImageFont.truetype(font_paths()[number], 20)
        missing = bytes(pillow.getmask("\U0010fffd"))
        for letter in part.replace(" ", ""):
            assert bytes(pillow.getmask(letter)) != missing
    picture = Image.new("L", (400, 40), "white")
    font.draw(ImageDraw.Draw(picture), (10, 20), name, "black")
    ink = np.flatnonzero((np.asarray(picture) < 128).any(axis=0))
    # It is as wide as it says, to the space before and behind letters.
    assert abs(ink[0] - 10) <= 3
    assert abs(ink[-1] - 10 - font.getlength(name)) <= 4


def test_a_mark_stays_with_its_letter_and_fonts_are_few():
    assert font_runs("road") == [(0, "road")]
    assert font_runs("a 道路 b") == [(0, "a "), (1, "道路 "), (0, "b")]
    assert font_runs("が") == [(1, "が")]
    assert font_runs("") == []


def test_letters_that_no_font_has(caplog):
    """Devanagari and an emoji; pictures have no empty boxes."""
    assert shown("सड़क 1") == "???? 1"
    names = ("road", "सड़क", "道路", "🚗")
    for _ in range(2):
        assert drawn_names(names) == ("road", "class 1", "道路", "class 3")
    assert caplog.messages == [
        "Installed fonts lack letters of सड़क, 🚗; pictures show them as class 1, class 3."
    ]
    assert drawn_names(("道路",)) == ("道路",)


def test_without_the_cjk_font_names_become_numbers(monkeypatch, caplog):
    monkeypatch.setattr(text_module, "_CJK_PACKAGE", "a_package_that_is_not_there")
    for cached in (font_paths, text_module._glyphs, drawn_names):
        cached.cache_clear()
    assert len(font_paths()) == 1
    assert drawn_names(("道路", "дорога")) == ("class 0", "дорога")
    assert Font(15).getlength("道路") == Font(15).getlength("??")
    for cached in (font_paths, text_module._glyphs, drawn_names):
        cached.cache_clear()
