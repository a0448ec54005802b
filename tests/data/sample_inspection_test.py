import numpy as np
import pytest
from PIL import ExifTags, Image

from keras_fasterseg.data import sample_inspection
from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.data.sample_inspection import inspect_sample
from keras_fasterseg.data.source import Sample
from tests.data.encoded_files import png
from tests.data.own_files import write_pair as write_own_pair
from tests.faulty_camvid import LABEL, truncate, write_faulty, write_good, write_pair

# By the stem of the pair: what is wrong, and with which of its files.
FAULTS = {
    "a_good": [],
    "cut_image": [("unreadable image", "train/cut_image.png")],
    "cut_label": [("unreadable label", "trainannot/cut_label.png")],
    "no_label": [("missing label", "trainannot/no_label.png")],
    "other_size": [("size mismatch", "trainannot/other_size.png")],
    "small": [("too small", "train/small.png")],
    "text": [("unreadable image", "train/text.png")],
    "unknown": [("unknown values", "trainannot/unknown.png")],
    "z_good": [],
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    return CamVid(write_faulty(tmp_path_factory.mktemp("faulty")))


def inspected(source, stem):
    (sample,) = (each for each in source.pairs("train") if each.image.stem == stem)
    return inspect_sample(sample, source)


def test_the_data_set_has_all_of_them(faulty):
    assert [sample.image.stem for sample in faulty.pairs("train")] == list(FAULTS)


@pytest.mark.parametrize("stem", FAULTS)
def test_faults_and_their_files(faulty, stem):
    found = inspected(faulty, stem).faults
    expected = [(kind, faulty.root / file) for kind, file in FAULTS[stem]]
    assert [(fault.kind, fault.file) for fault in found] == expected


@pytest.mark.parametrize("stem", ["cut_image", "cut_label", "other_size", "text", "unknown"])
def test_messages_are_those_of_reading(faulty, stem):
    (fault,) = inspected(faulty, stem).faults
    (sample,) = (each for each in faulty.pairs("train") if each.image.stem == stem)
    with pytest.raises(DataError) as caught:
        read_sample(sample, faulty)
    assert fault.message == str(caught.value)


def test_content_of_a_good_pair(faulty):
    found = inspected(faulty, "a_good")
    assert (found.size, found.image_mode, found.label_mode) == ((32, 48), "RGB", "L")
    expected = np.zeros(11)
    expected[[0, 3]] = 20 * 48, 11 * 48
    np.testing.assert_array_equal(found.class_pixels, expected)
    assert (found.ignored_pixels, found.unknown_pixels, found.unknown) == (48, 0, {})


def test_unknown_ids_are_counted(faulty):
    found = inspected(faulty, "unknown")
    assert found.unknown_pixels == 11
    assert list(found.unknown.items()) == [(77, 10), (12, 1)]
    assert found.class_pixels[0] == 20 * 48 - 10
    assert found.class_pixels[3] == 11 * 48 - 1


def test_both_files_may_be_faulty(tmp_path):
    write_pair(tmp_path, "train", "a")
    for folder in ("train", "trainannot"):
        truncate(tmp_path / folder / "a.png")
    found = inspected(CamVid(tmp_path), "a")
    assert [fault.kind for fault in found.faults] == ["unreadable image", "unreadable label"]
    assert (found.size, found.label_mode, found.class_pixels.sum()) == (None, None, 0)


def test_an_image_that_a_list_names_but_that_is_not_there(tmp_path):
    write_pair(tmp_path, "train", "a")
    sample = Sample(tmp_path / "train" / "gone.png", tmp_path / "trainannot" / "a.png")
    (fault,) = inspect_sample(sample, CamVid(tmp_path)).faults
    assert (fault.kind, fault.file) == ("missing image", sample.image)
    assert fault.message == f"The file {sample.image} does not exist."


@pytest.fixture
def coloured(tmp_path):
    """One image in the original layout; its label is sky, void and two other colours."""
    pixels = np.full((32, 32, 3), 128, np.uint8)
    pixels[0] = 0
    pixels[1, :3] = (1, 2, 3)
    pixels[2, :5] = (250, 2, 3)
    for folder, name in (("701_StillsRaw_full", "a"), ("LabeledApproved_full", "a_L")):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "train.txt").write_text("a\n", encoding="utf-8")
    return CamVid(tmp_path)


def test_unknown_colours_are_counted(coloured):
    found = inspected(coloured, "a")
    assert list(found.unknown.items()) == [((250, 2, 3), 5), ((1, 2, 3), 3)]
    assert (found.unknown_pixels, found.ignored_pixels) == (8, 32)
    assert found.class_pixels[0] == 32 * 32 - 32 - 8
    (fault,) = found.faults
    assert "holds the colour (1, 2, 3)" in fault.message


def test_colours_without_end_are_counted_but_not_all_named(coloured):
    path = coloured.root / "LabeledApproved_full" / "a_L.png"
    pixels = np.array(Image.open(path))
    pixels[8:24, :, 0] = 251
    pixels[8:24, :, 1] = np.arange(16)[:, np.newaxis]
    pixels[8:24, :, 2] = np.arange(32)
    Image.fromarray(pixels).save(path)
    found = inspected(coloured, "a")
    assert len(found.unknown) == sample_inspection.MOST_VALUES < 512
    assert found.unknown_pixels == 512 + 8
    assert next(iter(found.unknown.items())) == ((250, 2, 3), 5)


def test_a_label_of_another_mode(tmp_path):
    write_pair(tmp_path, "train", "a", label=np.stack([LABEL] * 3, axis=-1))
    (fault,) = inspected(CamVid(tmp_path), "a").faults
    assert fault.kind == "unreadable label"
    assert "is stored as 8-bit RGB PNG, but labels of camvid hold ids" in fault.message


def test_an_image_that_is_stored_turned_is_a_fault(tmp_path):
    write_good(tmp_path)
    turned = tmp_path / "train" / "a.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    (tmp_path / "train" / "a.png").unlink()
    Image.new("RGB", (48, 32)).save(turned, exif=exif)
    found = inspect_sample(Sample(turned, tmp_path / "trainannot" / "a.png"), CamVid(tmp_path))
    assert [(fault.kind, fault.file) for fault in found.faults] == [("turned image", turned)]
    assert "EXIF orientation" in found.faults[0].message


def test_labels_of_16_bits_with_ids_that_are_not_there(tmp_path):
    write_pair(tmp_path, "train", "a", label=LABEL.astype(np.uint16) * 300)
    found = inspected(CamVid(tmp_path), "a")
    assert found.unknown == {11 * 300: 48, 3 * 300: 11 * 48}
    assert [fault.kind for fault in found.faults] == ["unknown values"]


def test_ids_that_cannot_be_told(tmp_path):
    """Of Cityscapes' ids, 1 of 4 bits is one, and 17 as well."""
    (tmp_path / "dataset.yaml").write_text("classes: [{name: a, ids: [0, 1]}, {name: b, ids: 17}]")
    image, label = tmp_path / "images" / "train" / "a.png", tmp_path / "labels" / "train" / "a.png"
    write_own_pair(image, label, np.zeros((32, 32), np.uint8))
    label.write_bytes(png(np.eye(32, dtype=int), 0, 4))
    source = Folder(tmp_path)
    found = inspect_sample(source.samples("train")[0], source)
    assert [fault.kind for fault in found.faults] == ["unreadable label"]
    assert (found.label_mode, found.ignored_share) == (None, None)


def test_the_cause_is_the_message_without_names_and_numbers(tmp_path):
    for stem, value in (("a", 50), ("b", 250)):
        write_pair(tmp_path, "train", stem, label=np.where(LABEL == 3, value, LABEL))
    (first,), (second,) = (inspected(CamVid(tmp_path), stem).faults for stem in "ab")
    assert first.message != second.message
    words = "holds the id 0, which camvid does not have (its ids: 0-0)."
    assert first.cause == second.cause == f"The label FILE {words}"
