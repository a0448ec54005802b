import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.image_normalization import IMAGENET_MEAN
from tests.data.own_files import write_pair


@pytest.fixture
def make(tmp_path):
    """A data set of the splits `training` and `validation`, one image each, with more lines."""
    for split in ("training", "validation"):
        write_pair(
            tmp_path / "images" / split / f"{split}.png", tmp_path / "labels" / split / "a.png"
        )

    def make(*lines):
        (tmp_path / "dataset.yaml").write_text("\n".join(["classes: [ground, lane]", *lines]))
        return Folder(tmp_path)

    return make


def test_what_the_file_says(make):
    source = make("name: yard", "mean: [0.1, 0.2, 0.3]", "std: [0.4, 0.5, 0.6]")
    assert (source.name, source.class_names, source.num_classes) == ("yard", ("ground", "lane"), 2)
    assert (source.mean, source.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert source.definition()["mean"] == [0.1, 0.2, 0.3]
    assert source.label_lookup[1] == 1
    assert source.palette.shape == (2, 3)


def test_without_it_images_are_normalised_as_imagenet(make):
    assert make().mean == IMAGENET_MEAN


def test_splits_by_other_names(make):
    source = make("splits: {train: training, val: validation}")
    assert source.split_names == ("train", "val")
    assert [pair.image.stem for pair in source.pairs("val")] == ["validation"]
    assert [pair.image.stem for pair in source.pairs("trainval")] == ["training", "validation"]
    with pytest.raises(ValueError, match="no split 'validation'; it has train, val"):
        source.pairs("validation")


def test_others_keep_their_names(make):
    assert make("splits: {val: validation}").split_names == ("training", "val")
    swapped = make("splits: {training: validation, validation: training}")
    assert [pair.image.stem for pair in swapped.pairs("training")] == ["validation"]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (
            "{val: valid}",
            r"maps 'val' to 'valid', but the data set has no split 'valid'; it has training, ",
        ),
        ("{val: ../other}", r"maps 'val' to '\.\./other', but the data set has no split"),
        ("{training: validation}", "maps 'training' to 'validation', but another split on disk"),
    ],
)
def test_wrong_names_of_splits(make, splits, message):
    with pytest.raises(DataError, match=rf"dataset\.yaml: `splits` {message}"):
        make(f"splits: {splits}")
