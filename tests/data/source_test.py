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
    with pytest.raises(DataError, match=r"There is no folder .*nowhere"):
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


def test_lookup_marks_what_it_was_not_given():
    lookup = make_label_lookup({0: 3, 7: 255})

    assert lookup.shape == (256,)
    assert (lookup[0], lookup[7]) == (3, 255)
    assert np.count_nonzero(lookup == NOT_ALLOWED) == 254
