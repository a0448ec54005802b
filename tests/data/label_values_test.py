import numpy as np
import pytest

from keras_fasterseg.data.bdd100k import BDD100K
from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.data.label_values import label_values


class Converted(CamVid):
    has_files = False


def folder(path, text):
    """A data set that `dataset.yaml` describes, with one split and no image."""
    (path / "images" / "train").mkdir(parents=True)
    (path / "labels" / "train").mkdir(parents=True)
    (path / "dataset.yaml").write_text(text, encoding="utf-8")
    return Folder(path)


def test_the_ids_of_known_data_sets(tmp_path):
    """Cityscapes' 19 classes in its own label ids, as its benchmark lists them."""
    image = tmp_path / "leftImg8bit" / "train" / "x" / "x_000000_000000_leftImg8bit.png"
    label = tmp_path / "gtFine" / "train" / "x" / "x_000000_000000_gtFine_labelIds.png"
    for path in (image, label):
        path.parent.mkdir(parents=True)
        path.touch()
    values = label_values(Cityscapes(tmp_path))
    assert values.dtype == np.uint8
    assert values.tolist() == [
        *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    ]
    assert label_values(BDD100K).tolist() == list(range(19))


def test_ids_and_colours_of_a_data_set_of_ones_own(tmp_path):
    ids = folder(tmp_path / "a", "classes: [{name: x, ids: 7}, {name: y, ids: 0}]")
    assert label_values(ids).tolist() == [7, 0]
    colors = folder(
        tmp_path / "b",
        "labels: colors\nignore_colors: [[9, 9, 9]]\n"
        "classes: [{name: x, color: [1, 2, 3]}, {name: y, color: [4, 5, 6]}]",
    )
    assert label_values(colors).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_what_has_no_way_back(tmp_path):
    several = folder(tmp_path / "a", "classes: [{name: x, ids: [7, 9]}, {name: y, ids: 0}]")
    with pytest.raises(
        ValueError, match=r"class 'x' has the ids 7, 9 in labels of a, .*remove --ids"
    ):
        label_values(several)
    colors = folder(
        tmp_path / "b",
        "labels: colors\nclasses: [{name: x, color: [1, 2, 3]}, "
        "{name: y, color: [4, 5, 6], label_colors: [[4, 5, 6], [7, 8, 9]]}]",
    )
    with pytest.raises(ValueError, match=r"the colours \(4, 5, 6\), \(7, 8, 9\) in labels"):
        label_values(colors)
    with pytest.raises(ValueError, match="'folder' are described in its folder; set --data_dir"):
        label_values(Folder)
    with pytest.raises(ValueError, match="is a converted data set, which keeps only class ids"):
        label_values(Converted)
