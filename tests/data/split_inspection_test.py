import json

import numpy as np

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.check_samples import check_samples
from keras_fasterseg.data.label_statistics import label_histogram
from keras_fasterseg.data.split_inspection import inspect_split
from tests.faulty_camvid import LABEL, SIZE, truncate, write_faulty, write_good, write_pair

ROW = SIZE[1]


def refusal(source, split):
    """The sentence with which a run would stop, or `None`."""
    try:
        check_samples(source, split, progress=False)
    except ValueError as error:
        return str(error)
    return None


def test_numbers_of_a_good_split(tmp_path):
    write_good(tmp_path)
    car = LABEL.copy()
    car[-1, :5] = 8
    write_pair(tmp_path, "train", "z", np.zeros((*SIZE, 3), np.uint8), car)
    write_pair(tmp_path, "train", "grey", np.zeros((64, 64), np.uint8), np.zeros((64, 64), "u1"))

    found = inspect_split(CamVid(tmp_path), "train", progress=False)

    assert (found.problem, found.faults, found.orphan_labels) == (None, (), ())
    assert list(found.sizes.items()) == [(SIZE, 4), ((64, 64), 1)]
    assert found.image_modes == {"RGB": 4, "L": 1}
    assert found.label_modes == {"L": 5}
    sky, road = 4 * 20 * ROW + 64 * 64, 4 * 11 * ROW - 5
    np.testing.assert_array_equal(found.class_pixels[[0, 3, 8]], [sky, road, 5])
    assert found.class_pixels.sum() == sky + road + 5
    np.testing.assert_array_equal(found.class_images[[0, 3, 8]], [5, 4, 1])
    assert found.class_shares[8] == 5 / (sky + road + 5)
    assert found.ignored_pixels == 4 * ROW
    assert found.ignored_share == 4 * ROW / (4 * SIZE[0] * ROW + 64 * 64)


def test_all_faults_are_collected_and_the_rest_is_counted(tmp_path):
    found = inspect_split(CamVid(write_faulty(tmp_path)), "train", progress=False)

    assert [fault.kind for fault in found.faults] == [
        "unreadable image",
        "unreadable label",
        "missing label",
        "size mismatch",
        "too small",
        "unreadable image",
        "unknown values",
    ]
    assert found.orphan_labels == (tmp_path / "trainannot" / "no_image.png",)
    unknown = tmp_path / "trainannot" / "unknown.png"
    assert list(found.unknown.items()) == [(77, {unknown: 10}), (12, {unknown: 1})]
    assert found.unknown_pixels == 11
    # Five labels with a whole sky, a narrower one and the one of unknown ids.
    assert found.class_pixels[0] == 5 * 20 * ROW + 20 * 40 + 20 * ROW - 10
    assert found.sizes == {SIZE: 6, (31, 48): 1}
    assert found.problem is None


def test_json_holds_all_of_it(tmp_path):
    found = inspect_split(CamVid(write_faulty(tmp_path)), "train", progress=False)

    value = json.loads(json.dumps(found.to_json()))

    assert value["images"] == 9
    assert {"height": 31, "width": 48, "images": 1} in value["sizes"]
    assert value["classes"][3]["name"] == "road"
    assert value["classes"][3]["images"] == 7
    assert value["unknown_values"][1] == {
        "value": 12,
        "pixels": 1,
        "files": {str(tmp_path / "trainannot" / "unknown.png"): 1},
    }
    assert value["labels_without_image"] == [str(tmp_path / "trainannot" / "no_image.png")]
    assert len(value["faults"]) == 7
    assert value["faults"][4]["kind"] == "too small"
    assert value["faults"][4]["file"] == str(tmp_path / "train" / "small.png")
    assert "31 x 48" in value["faults"][4]["message"]


def test_what_makes_a_split_useless(tmp_path):
    """The sentences are those that a run would stop with."""
    (tmp_path / "train").mkdir()
    for stem in "ab":
        write_pair(tmp_path, "val", stem, label=np.full(SIZE, 3, np.uint8))
        write_pair(tmp_path, "test", stem, label=np.full(SIZE, 11, np.uint8))
    source = CamVid(tmp_path)

    for split in ("train", "val", "test", "gone"):
        problem = inspect_split(source, split, progress=False).problem
        assert problem is not None
        assert problem == refusal(source, split)


def test_broken_labels_are_not_taken_for_empty_ones(tmp_path):
    write_pair(tmp_path, "train", "a")
    truncate(tmp_path / "trainannot" / "a.png")

    found = inspect_split(CamVid(tmp_path), "train", progress=False)

    assert found.problem is None
    assert [fault.kind for fault in found.faults] == ["unreadable label"]
    assert found.ignored_share == 0
    assert found.class_shares.sum() == 0


def test_faults_are_found_wherever_a_file_is_cut(tmp_path):
    """Inspection reports a fault exactly if reading rejects the file."""
    write_pair(tmp_path, "train", "a")
    source = CamVid(tmp_path)
    for folder in ("train", "trainannot"):
        path = tmp_path / folder / "a.png"
        whole = path.read_bytes()
        for length in range(0, len(whole), max(1, len(whole) // 40)):
            path.write_bytes(whole[:length])
            found = inspect_split(source, "train", progress=False)
            refused = refusal(source, "train")
            assert [fault.message for fault in found.faults] == [refused] * (refused is not None)
        path.write_bytes(whole)


def test_the_real_data_set(camvid):
    found = inspect_split(camvid, "val", progress=False)

    assert (found.faults, found.orphan_labels, found.problem) == ((), (), None)
    assert found.sizes == {(360, 480): 101}
    histogram = label_histogram(camvid.samples("val"), camvid)
    np.testing.assert_array_equal(found.class_pixels, histogram)
    assert found.ignored_pixels == 101 * 360 * 480 - histogram.sum()
