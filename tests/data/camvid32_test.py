import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.camvid32 import CamVid32
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_sample
from tests.data.own_files import write_pair

# As the original's label_colors.txt lists them.
COLORS = {
    (64, 128, 64): "Animal",
    (128, 0, 192): "LaneMkgsDriv",
    (192, 0, 64): "LaneMkgsNonDriv",
    (64, 128, 192): "SUVPickupTruck",
    (192, 192, 0): "VegetationMisc",
    (64, 192, 0): "Wall",
    (0, 0, 0): None,
}


@pytest.fixture
def source(tmp_path):
    label = tmp_path / "LabeledApproved_full" / "0016E5_07959_L.png"
    write_pair(
        tmp_path / "701_StillsRaw_full" / "0016E5_07959.png", label, np.zeros((1, 7), np.uint8)
    )
    Image.fromarray(np.array([list(COLORS)], np.uint8)).save(label)
    return CamVid32(tmp_path)


def test_classes_are_those_of_the_original(source):
    assert source.num_classes == len(set(source.class_names)) == len(source.palette) == 31
    assert len({tuple(color) for color in source.palette}) == 31
    assert "Void" not in source.class_names
    assert source.class_names == tuple(sorted(source.class_names, key=str.lower))


def test_labels_and_splits(source):
    (sample,) = source.samples("val")
    _, train_ids = read_sample(sample, source)
    for color, name, train_id in zip(COLORS, COLORS.values(), train_ids[0], strict=True):
        if name is None:
            assert train_id == 255
        else:
            assert source.class_names[train_id] == name
            assert tuple(source.palette[train_id]) == color


def test_the_other_layout_has_no_such_labels(make_camvid):
    root = make_camvid([]).root
    with pytest.raises(DataError, match="SegNet's layout, whose labels have 11 classes"):
        CamVid32(root)
