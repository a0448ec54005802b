import pytest

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.registry import load_source
from tests.shared import shared_path


def test_loads_by_name():
    assert isinstance(load_source("camvid", shared_path("camvid")), CamVid)


def test_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(ValueError, match="'kitti'; known are camvid, cityscapes, synthetic"):
        load_source("kitti", tmp_path)
