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


def test_what_has_no_colour_shows_the_paper():
    picture = np.asarray(class_legend([("ignored", None)], 300))
    assert np.any(picture[:, :30] < 255)
    # Beside the diagonal line.
    assert np.all(picture[6, 14:28] == 255)


def test_nothing_at_all():
    assert class_legend([], 200).size == (200, 1)
