import numpy as np
import pytest

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.palette import default_palette
from keras_fasterseg.visualization.class_styles import class_styles

CAMVID = {"num_classes": 11, "class_names": list(CamVid.class_names)}
MINE = {"num_classes": 2, "class_names": ["dark", "bright"]}


def test_an_artefact_that_says_nothing():
    styles = class_styles({})
    assert styles.names is None
    np.testing.assert_array_equal(styles.palette, default_palette())
    assert class_styles({"num_classes": 3, "class_names": None}).names == ("0", "1", "2")


def test_names_of_the_manifest_and_the_colours_that_belong_to_them():
    styles = class_styles(CAMVID)
    assert styles.names == CamVid.class_names
    np.testing.assert_array_equal(styles.palette, CamVid.palette)
    styles = class_styles(MINE)
    assert styles.names == ("dark", "bright")
    np.testing.assert_array_equal(styles.palette, default_palette())


def test_a_data_set_names_what_records_no_names():
    styles = class_styles({"num_classes": 19, "class_names": None}, "cityscapes")
    assert styles.names == Cityscapes.class_names
    np.testing.assert_array_equal(styles.palette, Cityscapes.palette)


def test_a_data_set_must_have_the_recorded_classes_in_their_order():
    names = list(CamVid.class_names)
    turned = {"num_classes": 11, "class_names": [*names[1:], names[0]]}
    with pytest.raises(ValueError, match="the same names in another order"):
        class_styles(turned, "camvid")
    styles = class_styles(turned, "camvid", class_order=",".join(turned["class_names"]))
    assert styles.names == (*names[1:], names[0])
    np.testing.assert_array_equal(styles.palette, np.roll(CamVid.palette, -1, axis=0))
    with pytest.raises(ValueError, match=r"2 classes \(dark, bright\).*has 11 \(sky, building"):
        class_styles(MINE, "camvid")


def test_colours_of_the_manifest():
    recorded = {**MINE, "colors": [[1, 2, 3], [4, 5, 255]]}
    np.testing.assert_array_equal(class_styles(recorded).palette, [[1, 2, 3], [4, 5, 255]])
    # They belong to the recorded names.
    np.testing.assert_array_equal(
        class_styles(recorded, names=("a", "b")).palette, default_palette()
    )
    with pytest.raises(ValueError, match="from 0 to 255"):
        class_styles({**MINE, "colors": [[1, 2, 3], [4, 5, 256]]})


def test_what_is_said_overrides_what_is_recorded():
    styles = class_styles(MINE, names=("a", "b"), colors=("#ff8000", "0010Ff"))
    assert styles.names == ("a", "b")
    np.testing.assert_array_equal(styles.palette, [[255, 128, 0], [0, 16, 255]])
    np.testing.assert_array_equal(
        class_styles(CAMVID, names=tuple("abcdefghijk")).palette, default_palette()
    )


@pytest.mark.parametrize(
    ("metadata", "options", "message"),
    [
        (CAMVID, {"dataset": "cityscapes"}, "has 11 classes .*but the data set cityscapes has 19"),
        (MINE, {"names": ("a",)}, "has 2 classes, but received 1 names"),
        (MINE, {"colors": ("000000",)}, "has 2 classes, but received 1 colours"),
        ({}, {"names": ("a", "b"), "colors": ("000000",)}, "has 2 classes, but received 1 col"),
        ({}, {"colors": ("red",)}, "such as 804080. Received: --class_colors=red"),
        ({}, {"colors": ("8040801",)}, "Received: --class_colors=8040801"),
    ],
)
def test_what_does_not_go_together(metadata, options, message):
    with pytest.raises(ValueError, match=message):
        class_styles(metadata, **options)
