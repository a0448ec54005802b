import numpy as np
import pytest

from keras_fasterseg.data.check_samples import check_samples
from keras_fasterseg.data.errors import DataError

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
LABEL = np.zeros((32, 48), np.uint8)
PAIRS = [(IMAGE, LABEL), (IMAGE, LABEL + 1)] * 6


def test_good_samples_are_counted(make_camvid):
    assert check_samples(make_camvid(PAIRS), "train", progress=False) == 12


def test_first_fault_is_named(make_camvid):
    source = make_camvid(PAIRS)
    for number in (4, 9):
        path = source.root / "train" / f"{number:03d}.png"
        path.write_bytes(path.read_bytes()[:60])

    with pytest.raises(DataError, match=r"004\.png is damaged"):
        check_samples(source, "train", progress=False)


def test_labels_must_have_two_classes(make_camvid):
    ignored = LABEL + 11
    with pytest.raises(DataError, match="show only one class, 'building', but at least two"):
        check_samples(make_camvid([(IMAGE, LABEL + 1)] * 2), "train", progress=False)
    with pytest.raises(DataError, match="show only ignored pixels"):
        check_samples(make_camvid([(IMAGE, ignored)] * 2), "train", progress=False)


def test_an_image_that_is_too_small(make_camvid):
    pair = (IMAGE[:31], LABEL[:31])
    with pytest.raises(DataError, match=r"000\.png is 31 x 48 .* it must be at least 32 x 32"):
        check_samples(make_camvid([pair, (IMAGE, LABEL + 1)]), "train", progress=False)
