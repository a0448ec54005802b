import numpy as np
import pytest

from keras_fasterseg.data.bdd100k import BDD100K
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_sample
from tests.data.own_files import write_pair

IDS = np.array([[0, 10, 13, 18, 255]], np.uint8)


@pytest.mark.parametrize(
    ("images", "labels", "ending"),
    [("images/10k", "labels/sem_seg/masks", ""), ("seg/images", "seg/labels", "_train_id")],
)
def test_both_layouts(tmp_path, images, labels, ending):
    for split, name in (("train", "b"), ("train", "a"), ("val", "c")):
        label = tmp_path / labels / split / f"{name}{ending}.png"
        write_pair(tmp_path / images / split / f"{name}.jpg", label, IDS)
    write_pair(tmp_path / images / "test" / "d.jpg", None)

    source = BDD100K(tmp_path)

    assert source.split_names == ("train", "val", "test")
    assert [sample.image.stem for sample in source.samples("trainval")] == ["a", "b", "c"]
    _, train_ids = read_sample(source.samples("val")[0], source)
    np.testing.assert_array_equal(train_ids, IDS)
    names = [source.class_names[train_id] for train_id in IDS[0, :-1]]
    assert names == ["road", "sky", "car", "bicycle"]
    assert [pair.image.name for pair in source.pairs("test")] == ["d.jpg"]
    with pytest.raises(DataError, match=r"d\.jpg has no label"):
        source.samples("test")


def test_an_id_beyond_the_classes(tmp_path):
    images, labels = tmp_path / "images/10k/train", tmp_path / "labels/sem_seg/masks/train"
    write_pair(images / "a.jpg", labels / "a.png", IDS + 1)
    source = BDD100K(tmp_path)
    with pytest.raises(DataError, match="holds the id 19, which bdd100k does not have"):
        read_sample(source.samples("train")[0], source)


def test_neither_layout(tmp_path):
    with pytest.raises(
        DataError, match=r"not in BDD100K's layout: .*images/10k/train and no .*seg"
    ):
        BDD100K(tmp_path)
