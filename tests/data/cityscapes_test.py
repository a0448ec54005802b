import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_sample

# Raw ids of Cityscapes' specification: unlabeled, road, sky, bicycle, parking, train.
RAW_IDS = [0, 7, 23, 33, 9, 31]
TRAIN_IDS = [255, 0, 10, 18, 255, 16]


def _write(root, split, city, ending, row):
    image = root / "leftImg8bit" / split / city / f"{city}_000000_000019_leftImg8bit.png"
    label = root / "gtFine" / split / city / f"{city}_000000_000019_gtFine_{ending}.png"
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (len(row), 2)).save(image)
    Image.fromarray(np.tile(np.array(row, np.uint8), (2, 1))).save(label)


@pytest.mark.parametrize(("ending", "row"), [("labelIds", RAW_IDS), ("labelTrainIds", TRAIN_IDS)])
def test_both_kinds_of_labels(tmp_path, ending, row):
    for split, city in (("train", "ulm"), ("train", "aachen"), ("val", "lindau")):
        _write(tmp_path, split, city, ending, row)

    source = Cityscapes(tmp_path)

    assert source.split_names == ("train", "val")
    cities = [sample.label.parent.name for sample in source.samples("train")]
    assert cities == ["aachen", "ulm"]
    _, label = read_sample(source.samples("val")[0], source)
    np.testing.assert_array_equal(label, np.tile(TRAIN_IDS, (2, 1)))


def test_classes_and_colours(tmp_path):
    _write(tmp_path, "train", "ulm", "labelIds", RAW_IDS)

    source = Cityscapes(tmp_path)

    assert source.num_classes == 19
    assert (source.class_names[0], source.class_names[18]) == ("road", "bicycle")
    np.testing.assert_array_equal(source.palette[13], (0, 0, 142))


def test_id_beyond_the_specification_is_named(tmp_path):
    _write(tmp_path, "train", "ulm", "labelIds", [34])
    source = Cityscapes(tmp_path)

    with pytest.raises(DataError, match=r"ulm_000000_000019_gtFine_labelIds.png holds the id 34"):
        read_sample(source.samples("train")[0], source)


def test_one_missing_label_does_not_change_the_kind(tmp_path):
    for city in ("aachen", "bochum", "ulm"):
        _write(tmp_path, "train", city, "labelTrainIds", TRAIN_IDS)
    next((tmp_path / "gtFine/train/bochum").iterdir()).unlink()

    with pytest.raises(DataError, match=r"bochum_.* has no label: .*bochum_.*labelTrainIds"):
        Cityscapes(tmp_path).samples("train")


def test_other_layout(tmp_path):
    with pytest.raises(DataError, match="is not in Cityscapes' layout"):
        Cityscapes(tmp_path)
