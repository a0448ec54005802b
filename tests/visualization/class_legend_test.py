import numpy as np
import pytest

from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.visualization.class_legend import class_legend

CITYSCAPES = list(zip(Cityscapes.class_names, map(tuple, Cityscapes.palette.tolist()), strict=True))
LONG = "traffic lights and signs of every kind that stand at the left side of a road"


def swatches(picture, color):
    return int(np.all(np.asarray(picture) == color, axis=-1).sum())


@pytest.mark.parametrize("width", [150, 500, 1600])
def test_all_colours_are_there_and_nothing_touches_the_right_edge(width):
    picture = class_legend([*CITYSCAPES, (LONG, (1, 2, 3))], width)
    pixels = np.asarray(picture)
    assert picture.width == width
    for _, color in CITYSCAPES:
        # 30 x 15 pixels without their edge.
        assert swatches(picture, color) >= 28 * 13
    assert np.all(pixels[0] == 255)
    assert np.all(pixels[-1] == 255)


def test_columns_are_as_many_as_fit():
    short = [(str(number), (number, 0, 0)) for number in range(12)]
    narrow, wide = class_legend(short, 120), class_legend(short, 2000)
    assert narrow.height == 12 * wide.height
    # A name that does not fit is broken.
    assert class_legend([(LONG, (1, 2, 3))], 200).height > wide.height


@pytest.mark.parametrize("width", [64, 480, 2048])
@pytest.mark.parametrize("count", [1, 6, 19])
def test_a_margin_is_left_on_every_side(width, count):
    picture = class_legend(CITYSCAPES[:count], width, text_size=12, margin=6)
    pixels = np.asarray(picture)
    for border in (pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:]):
        assert np.all(border == 255)
    assert [swatches(picture, color) >= 22 * 10 for _, color in CITYSCAPES[:count]] == [
        True
    ] * count


def test_the_last_row_is_no_emptier_than_it_must_be():
    # Five that could stand in a row of four and a row of one stand in three and two.
    entries = [("four", (number, 0, 0)) for number in range(5)]
    # The widest picture in which they need two rows.
    height = class_legend(entries, 2000).height
    picture = next(
        picture
        for picture in (class_legend(entries, width) for width in range(600, 0, -1))
        if picture.height > height
    )
    assert picture.height == 2 * height
    pixels = np.asarray(picture)
    lefts = [np.argwhere(np.all(pixels == (number, 0, 0), axis=-1))[0, 1] for number in range(5)]
    assert lefts[3] == lefts[0]
    assert lefts[4] == lefts[1]


def test_what_has_no_colour_shows_the_paper():
    picture = np.asarray(class_legend([("ignored", None)], 300))
    assert np.any(picture[:, :30] < 255)
    # Beside the diagonal line.
    assert np.all(picture[6, 14:28] == 255)


def test_nothing_at_all():
    assert class_legend([], 200).size == (200, 1)
