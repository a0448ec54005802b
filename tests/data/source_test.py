import numpy as np
import pytest

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import NOT_ALLOWED, make_label_lookup

BLACK = np.zeros((4, 6, 3), np.uint8)
LABEL = np.zeros((4, 6), np.uint8)


def test_samples_are_sorted_and_pair_by_name(make_camvid):
    samples = make_camvid([(BLACK, LABEL)] * 3).samples("train")

    assert [sample.image.stem for sample in samples] == ["000", "001", "002"]
    assert all(sample.image.stem == sample.label.stem for sample in samples)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"The folder .*nowhere does not exist"):
        CamVid(tmp_path / "nowhere")


def test_image_without_label_is_named(make_camvid):
    source = make_camvid([(BLACK, LABEL)] * 2)
    (source.root / "trainannot" / "001.png").unlink()

    with pytest.raises(DataError, match=r"image .*train/001\.png has no label.*trainannot/001"):
        source.samples("train")


def test_folder_without_images_is_named(make_camvid):
    source = make_camvid([])

    with pytest.raises(DataError, match=f"{source.root} has no images in its split 'train'"):
        source.samples("train")


def test_unknown_split_lists_the_known(make_camvid):
    with pytest.raises(ValueError, match="no split 'test'; it has train"):
        make_camvid([(BLACK, LABEL)]).samples("test")


@pytest.fixture
def three_splits(make_camvid):
    """CamVid with one image each in train, val and test."""
    source = make_camvid([(BLACK, LABEL)])
    for split in ("val", "test"):
        for folder in ("train", "trainannot"):
            target = source.root / folder.replace("train", split)
            target.mkdir()
            (target / f"{split}.png").write_bytes((source.root / folder / "000.png").read_bytes())
    return CamVid(source.root)


@pytest.mark.parametrize(
    ("split", "stems"),
    [
        ("train+val", ["000", "val"]),
        ("trainval", ["000", "val"]),
        ("test+train+val", ["000", "test", "val"]),
    ],
)
def test_splits_are_joined(three_splits, split, stems):
    assert [sample.image.stem for sample in three_splits.samples(split)] == stems
    assert [pair.image.stem for pair in three_splits.pairs(split)] == stems


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("train+extra", "no split 'extra'; it has train, val, test"),
        ("train+", "no split ''; it has train"),
        ("val+val", r"joined only once. Received: 'val\+val'"),
    ],
)
def test_joined_splits_must_be_there_once(three_splits, split, message):
    with pytest.raises(ValueError, match=message):
        three_splits.pairs(split)


def test_a_part_without_images_is_named(three_splits):
    (three_splits.root / "val" / "val.png").unlink()
    with pytest.raises(DataError, match="no images in its split 'val'"):
        three_splits.pairs("trainval")


def test_trainval_needs_both(make_camvid):
    with pytest.raises(ValueError, match="no split 'val'; it has train"):
        make_camvid([(BLACK, LABEL)]).samples("trainval")


def test_lookup_marks_what_it_was_not_given():
    lookup = make_label_lookup({0: 3, 7: 255})

    assert lookup.shape == (256,)
    assert (lookup[0], lookup[7]) == (3, 255)
    assert np.count_nonzero(lookup == NOT_ALLOWED) == 254
