import numpy as np
import pytest

from keras_fasterseg.visualization.font import font_size, load_font
from keras_fasterseg.visualization.legend import legend_picture

CITY = ("road", "sidewalk", "building", "traffic light", "vegetation", "motorcycle")
COLORS = np.random.default_rng(0).integers(20, 230, (19, 3)).tolist()


def inked(pixels: np.ndarray) -> np.ndarray:
    return (pixels < 250).any(axis=-1)


@pytest.mark.parametrize("width", [32, 100, 480, 2048])
@pytest.mark.parametrize("count", [1, 6, 19])
def test_every_class_has_its_colour_and_nothing_is_cut(width, count):
    entries = [(CITY[index % len(CITY)], COLORS[index]) for index in range(count)]
    picture = legend_picture(entries, width)
    pixels = np.asarray(picture)
    assert picture.width >= width
    for _, color in entries:
        # Without its outline.
        assert (pixels == color).all(axis=-1).sum() == (font_size(width) - 2) ** 2
    for border in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert not inked(border).any()


def test_a_name_wider_than_the_picture_widens_it():
    name = "a class with a very long name, which must be readable"
    picture = legend_picture([(name, (9, 9, 9))], 64)
    assert picture.width > load_font(12).getlength(name)
    assert legend_picture([("b", (9, 9, 9))], 64).width == 64


def test_columns_are_filled_before_rows():
    """As many columns as fit: the height shrinks with the width that there is."""
    entries = [("name", color) for color in COLORS]
    heights = [legend_picture(entries, width).height for width in (100, 200, 400)]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 3
    # 12 high, 18 a row, a margin of 6 above and below.
    assert legend_picture(entries[:1], 100).height == 18 + 12


@pytest.mark.parametrize("letter", ["ä", "é", "ß", "ж", "λ"])
def test_letters_of_other_languages_are_drawn(letter):
    font = load_font(20)
    missing = font.getmask("\U0010fffd")
    assert bytes(font.getmask(letter)) != bytes(missing)


def test_no_class_at_all():
    assert legend_picture([], 64).width == 64
