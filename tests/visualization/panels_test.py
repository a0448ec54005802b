import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.visualization.panels import GAP, side_by_side, stacked
from keras_fasterseg.visualization.text import Font
from tests.stand_in import random_images

FIRST, SECOND = random_images(2, 40, 60)


def test_pictures_stand_side_by_side():
    joined = np.asarray(side_by_side([Image.fromarray(FIRST), Image.fromarray(SECOND)]))
    assert joined.shape == (40, 120 + GAP, 3)
    np.testing.assert_array_equal(joined[:, :60], FIRST)
    np.testing.assert_array_equal(joined[:, -60:], SECOND)
    assert (joined[:, 60:-60] == 255).all()


@pytest.mark.parametrize("other", ["b", "runs/a_long_name/of/a/run/export/student/1" * 3])
def test_titles_are_not_cut(other):
    pictures = [Image.fromarray(FIRST), Image.fromarray(SECOND)]
    joined = np.asarray(side_by_side(pictures, ("a", other)))
    strip, rest = joined[:-40], joined[-40:]
    np.testing.assert_array_equal(rest[:, :60], FIRST)
    np.testing.assert_array_equal(rest[:, -60:], SECOND)
    for part in (strip[:, :60], strip[:, -60:]):
        inked = (part < 250).any(axis=-1)
        assert inked.any()
        for border in (inked[0], inked[-1], inked[:, 0], inked[:, -1]):
            assert not border.any()
    # As many lines of 18 pixels as its letters need at 12 pixels a letter, and two margins of 6.
    lines = (strip.shape[0] - 12) / 18
    assert lines == int(lines)
    assert lines >= Font(12).getlength(other) / 48


def test_one_above_the_other():
    pictures = [Image.fromarray(FIRST), Image.new("RGB", (80, 10), (1, 2, 3))]
    joined = np.asarray(stacked(pictures))
    assert joined.shape == (50, 80, 3)
    np.testing.assert_array_equal(joined[:40, :60], FIRST)
    assert (joined[:40, 60:] == 255).all()
    assert (joined[40:] == (1, 2, 3)).all()
    apart = np.asarray(stacked(pictures, gap=3, margin=7))
    assert apart.shape == (40 + 3 + 10 + 14, 80 + 14, 3)
    np.testing.assert_array_equal(apart[7:47, 7:-7], joined[:40])
    np.testing.assert_array_equal(apart[50:-7, 7:-7], joined[40:])
    assert (apart[47:50] == 255).all()
