import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.cityscapes import Cityscapes, CityscapesCoarse
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_sample

# Raw ids of Cityscapes' specification: unlabeled, road, sky, bicycle, parking, train.
RAW_IDS = [0, 7, 23, 33, 9, 31]
TRAIN_IDS = [255, 0, 10, 18, 255, 16]


def _write(root, split, city, ending, row, kind="gtFine"):
    image = root / "leftImg8bit" / split / city / f"{city}_000000_000019_leftImg8bit.png"
    label = root / kind / split / city / f"{city}_000000_000019_{kind}_{ending}.png"
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


def test_the_official_test_split(tmp_path):
    """Its images can be listed; labels are not there or, in the download, void."""
    _write(tmp_path, "train", "ulm", "labelIds", RAW_IDS)
    for city in ("berlin", "bonn"):
        _write(tmp_path, "test", city, "labelIds", [0, 3])
    next((tmp_path / "gtFine/test/bonn").iterdir()).unlink()

    source = Cityscapes(tmp_path)

    pairs = source.pairs("test")
    assert [pair.image.parent.name for pair in pairs] == ["berlin", "bonn"]
    np.testing.assert_array_equal(read_sample(pairs[0], source)[1], np.full((2, 2), 255))
    with pytest.raises(DataError, match=r"bonn_.* has no label"):
        source.samples("test")


def test_trainval_is_both(tmp_path):
    for split, city in (("train", "ulm"), ("val", "lindau"), ("test", "bonn")):
        _write(tmp_path, split, city, "labelTrainIds", TRAIN_IDS)
    cities = [sample.label.parent.name for sample in Cityscapes(tmp_path).samples("trainval")]
    assert cities == ["lindau", "ulm"]


def test_coarse_labels(tmp_path):
    for split, city in (("train", "ulm"), ("train_extra", "bayreuth"), ("val", "lindau")):
        _write(tmp_path, split, city, "labelIds", RAW_IDS, "gtCoarse")
    _write(tmp_path, "train", "ulm", "labelTrainIds", [18] * 6)
    _write(tmp_path, "test", "bonn", "labelIds", [0] * 6)

    source = CityscapesCoarse(tmp_path)

    assert source.name == "cityscapes_coarse"
    assert source.split_names == ("train", "train_extra", "val")
    samples = source.samples("train+train_extra")
    assert [sample.label.parent.name for sample in samples] == ["bayreuth", "ulm"]
    for sample in samples:
        np.testing.assert_array_equal(read_sample(sample, source)[1], np.tile(TRAIN_IDS, (2, 1)))
    assert Cityscapes(tmp_path).split_names == ("train", "val", "test")


@pytest.mark.parametrize("kind", [Cityscapes, CityscapesCoarse])
def test_other_layout(tmp_path, kind):
    with pytest.raises(DataError, match=r"is not in Cityscapes' layout: .*train, .* or .*leftImg8"):
        kind(tmp_path)


def test_other_formats_and_cases(tmp_path):
    _write(tmp_path, "train", "ulm", "labelIds", RAW_IDS)
    for path in list(tmp_path.rglob("*.png")):
        path.rename(path.with_suffix(".PNG" if "gtFine" in path.name else ".tif"))
    source = Cityscapes(tmp_path)
    (sample,) = source.samples("train")
    assert sample.image.name == "ulm_000000_000019_leftImg8bit.tif"
    assert sample.label.name == "ulm_000000_000019_gtFine_labelIds.PNG"
    (sample.label.with_suffix(".npy")).write_bytes(b"")
    assert source.passed_over("train") == (sample.label.with_suffix(".npy"),)


def test_one_image_of_several_formats(tmp_path):
    _write(tmp_path, "train", "ulm", "labelIds", RAW_IDS)
    (image,) = (tmp_path / "leftImg8bit").rglob("*.png")
    for name in ("ulm_000000_000019_leftImg8bit.jpg", "._ulm_000000_000019_leftImg8bit.png"):
        image.with_name(name).write_bytes(image.read_bytes())
    source = Cityscapes(tmp_path)
    assert [sample.image for sample in source.samples("train")] == [image]
    assert source.passed_over("train") == (image.with_suffix(".jpg"),)
