import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.camvid import CamVid, published_split
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.data.label_statistics import label_histogram

STEMS = {
    "train": ["0001TP_006690", "0006R0_f00930", "0016E5_00390", "0016E5_08190"],
    "val": ["0016E5_07959", "0016E5_08159"],
    "test": ["0001TP_008550", "Seq05VD_f00000"],
}
# Colours of the original as its authors list them, and the names of the classes they belong to.
COLORS = {
    (128, 128, 128): "sky",
    (0, 128, 64): "building",
    (64, 192, 0): "building",
    (192, 192, 128): "pole",
    (128, 0, 192): "road",
    (0, 0, 192): "pavement",
    (192, 192, 0): "tree",
    (0, 64, 64): "sign symbol",
    (64, 64, 128): "fence",
    (192, 128, 192): "car",
    (64, 64, 0): "pedestrian",
    (0, 128, 192): "bicyclist",
    (0, 0, 0): None,
}


@pytest.fixture
def original(tmp_path):
    """A folder in the original layout whose every label shows `COLORS`, one a column."""
    pixels = np.tile(np.array(list(COLORS), np.uint8), (4, 1, 1))
    for folder in ("701_StillsRaw_full", "LabeledApproved_full"):
        (tmp_path / folder).mkdir()
    for stem in (stem for stems in STEMS.values() for stem in stems):
        Image.fromarray(pixels).save(tmp_path / "701_StillsRaw_full" / f"{stem}.png")
        Image.fromarray(pixels).save(tmp_path / "LabeledApproved_full" / f"{stem}_L.png")
    return tmp_path


def test_the_real_data_set(camvid):
    assert len(camvid.samples("train")) == 367
    assert len(camvid.samples("val")) == 101
    assert camvid.split_names == ("train", "val")
    assert camvid.num_classes == len(camvid.palette) == 11


def test_class_frequencies_of_the_real_data_set(camvid):
    """The order published for CamVid: road and building and sky lead, bicyclists come last."""
    histogram = label_histogram(camvid.samples("train")[::4], camvid)

    shares = dict(zip(camvid.class_names, histogram / histogram.sum(), strict=True))
    order = sorted(shares, key=shares.__getitem__, reverse=True)
    assert order[:4] == ["road", "building", "sky", "tree"]
    assert set(order[-2:]) == {"bicyclist", "pedestrian"}
    assert 0.25 < shares["road"] < 0.4


def test_published_split_agrees_with_the_lists(camvid):
    for split in ("train", "val"):
        stems = [path.stem for path in (camvid.root / split).iterdir()]
        assert {published_split(stem) for stem in stems} == {split}


def test_published_split_of_all_frames(camvid):
    """All 701 names, by the published extent of the four videos."""
    stems = [f"0001TP_{frame:06d}" for frame in range(6690, 10381, 30)][:124]
    stems += [f"0006R0_f{frame:05d}" for frame in range(930, 3931, 30)]
    stems += [path.stem for path in camvid.root.glob("*/0016E5_*.jpg")]
    stems += [f"Seq05VD_f{frame:05d}" for frame in range(0, 5101, 30)]

    splits = [published_split(stem) for stem in stems]

    assert len(stems) == 701
    assert [splits.count(split) for split in ("train", "val", "test")] == [367, 101, 233]


def test_original_layout_uses_the_published_split(original):
    source = CamVid(original)

    for split, stems in STEMS.items():
        assert [sample.image.stem for sample in source.samples(split)] == sorted(stems)


def test_original_layout_decodes_colours(original):
    source = CamVid(original)

    _, label = read_sample(source.samples("val")[0], source)

    expected = [255 if name is None else source.class_names.index(name) for name in COLORS.values()]
    np.testing.assert_array_equal(label, np.tile(expected, (4, 1)))


def test_original_layout_prefers_lists(original):
    (original / "train.txt").write_text("0016E5_07959\n\n0001TP_006690.png\n")

    source = CamVid(original)

    assert source.split_names == ("train",)
    stems = [sample.image.stem for sample in source.samples("train")]
    assert stems == ["0001TP_006690", "0016E5_07959"]


def test_listed_image_that_is_not_there_is_named(original):
    (original / "val.txt").write_text("0016E5_00000\n")

    with pytest.raises(DataError, match=r"val.txt lists 0016E5_00000, but"):
        CamVid(original).samples("val")


def test_labels_without_an_image(tmp_path):
    for folder in ("train", "val", "trainannot"):
        (tmp_path / folder).mkdir()
    for name in ("train/a.png", "trainannot/a.png", "trainannot/b.png", "trainannot/.c.png"):
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / name)
    (tmp_path / "trainannot" / "notes.txt").write_text("none", encoding="utf-8")

    source = CamVid(tmp_path)

    assert source.orphan_labels("train") == (tmp_path / "trainannot" / "b.png",)
    assert source.orphan_labels("val") == ()


def test_labels_without_an_image_in_the_original_layout(original):
    for stem in ("0016E5_07959", "Seq05VD_f00000"):
        (original / "701_StillsRaw_full" / f"{stem}.png").unlink()
    labels = original / "LabeledApproved_full"
    (labels / "0016E5_07959_L.png").rename(labels / "0016E5_07961_L.png")
    (labels / "0016E5_08159_L.png").rename(labels / "holiday_1.png")

    source = CamVid(original)

    assert source.orphan_labels("train") == ()
    assert source.orphan_labels("val") == (labels / "0016E5_07961_L.png",)
    assert source.orphan_labels("test") == (labels / "Seq05VD_f00000_L.png",)
    (original / "val.txt").write_text("0016E5_08159\n", encoding="utf-8")
    assert CamVid(original).orphan_labels("val") == ()


def test_unknown_colour_is_named(original):
    path = original / "LabeledApproved_full" / "0016E5_07959_L.png"
    pixels = np.array(Image.open(path))
    pixels[1, 2] = (1, 2, 3)
    Image.fromarray(pixels).save(path)
    source = CamVid(original)

    with pytest.raises(DataError, match=r"0016E5_07959_L.png holds the colour \(1, 2, 3\)"):
        read_sample(source.samples("val")[0], source)


def test_unknown_name_without_lists_is_named():
    with pytest.raises(DataError, match="holiday_1 is not the name of a CamVid image"):
        published_split("holiday_1")


def test_neither_layout(tmp_path):
    with pytest.raises(
        DataError, match=f"{tmp_path} does not contain CamVid: expected the folders train"
    ):
        CamVid(tmp_path)


def test_other_formats_and_cases(tmp_path):
    for name in ("train/a.bmp", "trainannot/a.PNG", "train/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / name)
    (tmp_path / "train" / "c.heic").write_bytes(b"")
    source = CamVid(tmp_path)
    assert [(pair.image.name, pair.label.name) for pair in source.pairs("train")] == [
        ("a.bmp", "a.PNG"),
        ("b.jpg", "b.png"),
    ]
    assert source.passed_over("train") == (tmp_path / "train" / "c.heic",)


def test_a_second_label_of_one_image(tmp_path):
    for name in ("train/a.png", "trainannot/a.png", "trainannot/a.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / name)
    source = CamVid(tmp_path)
    assert [each.label.name for each in source.samples("train")] == ["a.png"]
    assert source.passed_over("train") == (tmp_path / "trainannot" / "a.tif",)
    assert source.orphan_labels("train") == ()


def test_a_second_image_of_a_listed_name(original):
    (original / "val.txt").write_text("0016E5_08159\n", encoding="utf-8")
    image = original / "701_StillsRaw_full" / "0016E5_08159.png"
    image.with_suffix(".webp").write_bytes(image.read_bytes())
    source = CamVid(original)
    assert [each.image for each in source.samples("val")] == [image]
    assert source.passed_over("val") == (image.with_suffix(".webp"),)
