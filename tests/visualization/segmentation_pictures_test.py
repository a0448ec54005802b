import numpy as np
import pytest

from keras_fasterseg.visualization.panels import GAP
from keras_fasterseg.visualization.segmentation_pictures import (
    LABEL_MAP,
    OVERLAY,
    SIDE_BY_SIDE,
    SegmentationPictures,
)
from tests.stand_in import random_images

PALETTE = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]], np.uint8)
NAMES = ("red", "green", "blue", "yellow")
IMAGE = random_images(40, 200)
IDS = np.zeros((40, 200), np.uint8)
IDS[:, 100:] = 2
OTHER = np.full((40, 200), 3, np.uint8)


def test_the_kinds_that_are_asked_for():
    pictures = SegmentationPictures(PALETTE, (SIDE_BY_SIDE, LABEL_MAP), opacity=1.0)
    drawn = pictures.draw(IMAGE, IDS)
    assert list(drawn) == [SIDE_BY_SIDE, LABEL_MAP]
    np.testing.assert_array_equal(np.asarray(drawn[LABEL_MAP]), IDS)
    beside = np.asarray(drawn[SIDE_BY_SIDE])
    np.testing.assert_array_equal(beside[:, :200], IMAGE)
    np.testing.assert_array_equal(beside[:, 200 + GAP :], PALETTE[IDS])


def test_two_networks_are_shown_and_the_first_has_the_label_map():
    kinds = (LABEL_MAP, OVERLAY, SIDE_BY_SIDE)
    drawn = SegmentationPictures(PALETTE, kinds, opacity=1.0).draw(IMAGE, IDS, OTHER)
    np.testing.assert_array_equal(np.asarray(drawn[LABEL_MAP]), IDS)
    np.testing.assert_array_equal(np.asarray(drawn[OVERLAY]), PALETTE[IDS])
    beside = np.asarray(drawn[SIDE_BY_SIDE])
    np.testing.assert_array_equal(beside[:, :200], PALETTE[IDS])
    np.testing.assert_array_equal(beside[:, 200 + GAP :], PALETTE[OTHER])


def colors_below(picture) -> set[int]:
    """The classes whose colours lie below the image."""
    pixels = np.asarray(picture)[40:]
    return {index for index, color in enumerate(PALETTE) if (pixels == color).all(axis=-1).any()}


@pytest.mark.parametrize("names", [NAMES, None])
def test_a_legend_has_the_classes_that_occur(names):
    kinds = (LABEL_MAP, OVERLAY, SIDE_BY_SIDE)
    pictures = SegmentationPictures(PALETTE, kinds, names, legend=True)
    drawn = pictures.draw(IMAGE, IDS, OTHER)
    assert drawn[LABEL_MAP].size == (200, 40)
    assert colors_below(drawn[OVERLAY]) == {0, 2}
    assert colors_below(drawn[SIDE_BY_SIDE]) == {0, 2, 3}
    assert pictures.legend_of(range(4), 200).height < pictures.legend_of(range(4), 60).height


def test_a_class_without_a_name_or_colour_is_called_by_its_number():
    pictures = SegmentationPictures(PALETTE[:1], (OVERLAY,), ("red",), legend=True)
    drawn = np.asarray(pictures.draw(IMAGE, OTHER)[OVERLAY])
    assert (drawn[40:] == 0).all(axis=-1).any()


def test_a_legend_has_names_in_every_script_and_numbers_for_what_no_font_has():
    def legend(*names):
        pictures = SegmentationPictures(PALETTE, class_names=names)
        return np.asarray(pictures.legend_of(range(2), 400))

    chinese = legend("道路", "天空")
    assert not np.array_equal(chinese, legend("道路", "道路"))
    assert not np.array_equal(chinese, legend("??", "??"))
    np.testing.assert_array_equal(legend("सड़क", "天空"), legend("class 0", "天空"))


def test_label_maps_with_other_values():
    class_ids = np.array([[0, 1], [1, 0]], np.uint8)
    own = SegmentationPictures(PALETTE, label_values=np.array([7, 200], np.uint8))
    written = own.label_map(class_ids)
    np.testing.assert_array_equal(written, [[7, 200], [200, 7]])
    np.testing.assert_array_equal(np.asarray(written.convert("RGB")), PALETTE[class_ids])
    colors = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    written = SegmentationPictures(PALETTE, label_values=colors).label_map(class_ids)
    np.testing.assert_array_equal(np.asarray(written), colors[class_ids])
    with pytest.raises(ValueError, match="predicts the class 2, but the data set has 2"):
        own.label_map(class_ids + 1)
