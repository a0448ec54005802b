import numpy as np
import pytest

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.registry import SOURCES, load_classes, load_source


def test_loads_by_name(tmp_path):
    for folder in ("train", "trainannot"):
        (tmp_path / folder).mkdir()
    assert isinstance(load_source("camvid", tmp_path), CamVid)


def test_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(
        ValueError, match=r"'kitti'; use one of bdd100k, camvid, .*, folder, synthetic"
    ):
        load_source("kitti", tmp_path)


def test_every_source_has_its_own_name():
    assert sorted(SOURCES) == [
        *("bdd100k", "camvid", "camvid32", "cityscapes", "cityscapes_coarse"),
        *("csv", "folder", "synthetic"),
    ]


def test_classes_without_a_folder():
    names, palette = load_classes("camvid")
    assert names == CamVid.class_names
    np.testing.assert_array_equal(palette, CamVid.palette)


def test_classes_that_a_file_describes(tmp_path):
    (tmp_path / "train.csv").write_text("image,label\n")
    (tmp_path / "dataset.yaml").write_text("classes: [a, {name: b, color: [1, 2, 3]}]")
    names, palette = load_classes("csv", tmp_path)
    assert names == ("a", "b")
    assert tuple(palette[1]) == (1, 2, 3)
    with pytest.raises(ValueError, match=r"classes of the data set 'csv' .*; set --data_dir"):
        load_classes("csv")
    with pytest.raises(ValueError, match="Unknown data set 'kitti'"):
        load_classes("kitti")
