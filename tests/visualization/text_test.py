import numpy as np
import pytest
from PIL import Image, ImageDraw

from keras_fasterseg.visualization.text import (
    draw_lines,
    line_height,
    load_font,
    shortened,
    wrapped,
)

FONT = load_font(15)
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


@pytest.mark.parametrize("letter", ["ä", "é", "ß", "ж", "λ"])
def test_letters_of_other_languages_are_drawn(letter):
    font = load_font(20)
    missing = font.getmask("\U0010fffd")
    assert bytes(font.getmask(letter)) != bytes(missing)
