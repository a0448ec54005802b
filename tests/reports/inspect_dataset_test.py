import json

import numpy as np
import pytest

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.reports.inspect_dataset import inspect_dataset
from keras_fasterseg.reports.inspection_report import inspection_report
from tests.data.encoded_files import png
from tests.faulty_camvid import LABEL, SIZE, write_faulty, write_good, write_pair


def inspected(root, *splits):
    return inspect_dataset(CamVid(root), splits or ("train", "val"), progress=False)


def test_a_good_data_set(tmp_path):
    found = inspected(write_good(tmp_path))

    assert found.is_trainable
    assert found.verdict() == f"{tmp_path} can be used for training."
    assert found.faulty_files == ()
    others = "building, pole, pavement, tree, sign symbol, fence, car, pedestrian, bicyclist"
    assert found.warnings() == (
        f"Missing from the labels of train: {others}.",
        f"Missing from the labels of val: {others}.",
    )


def test_faulty_files_are_counted_once(tmp_path):
    write_faulty(tmp_path)
    write_pair(tmp_path, "val", "e", label=np.full((31, 40), 99, np.uint8))

    found = inspected(tmp_path)

    assert not found.is_trainable
    assert len([fault for split in found.splits for fault in split.faults]) == 7 + 2
    assert found.verdict() == f"{tmp_path} cannot be used for training: 8 faulty files."
    orphan = tmp_path / "trainannot" / "no_image.png"
    assert found.warnings()[0] == f"1 label without an image in train: {orphan}."


def test_useless_splits_are_told(tmp_path):
    write_good(tmp_path)
    (tmp_path / "valannot" / "d.png").unlink()

    found = inspected(tmp_path, "train", "val", "test")

    reason = "1 faulty file; the split test is unusable"
    assert found.verdict() == f"{tmp_path} cannot be used for training: {reason}."
    assert not inspected(tmp_path, "train", "test").is_trainable
    assert inspected(tmp_path, "train").is_trainable
    assert found.splits[2].problem == f"{tmp_path} has no split 'test'; it has train, val."


def test_warnings_do_not_stop_a_run(tmp_path):
    """A label too many, an image in both splits, a class missing in val, one of 5 pixels."""
    write_good(tmp_path)
    label = LABEL.copy()
    label[-1, :5] = 8
    write_pair(tmp_path, "train", "rare", label=label)
    (tmp_path / "val" / "same.png").write_bytes((tmp_path / "train" / "b.png").read_bytes())
    for stem in ("same", "orphan"):
        labels = tmp_path / "valannot"
        (labels / f"{stem}.png").write_bytes((labels / "d.png").read_bytes())

    found = inspected(tmp_path)

    assert found.is_trainable
    orphans, shared, train, val, imbalance = found.warnings()
    assert orphans == f"1 label without an image in val: {tmp_path}/valannot/orphan.png."
    assert shared == (
        "1 image in more than one split (identical bytes), so scores include training images: "
        f"{tmp_path}/train/b.png = {tmp_path}/val/same.png."
    )
    assert "car" not in train
    assert train.startswith("Missing from the labels of train: building, pole, pavement")
    assert "fence, car, pedestrian" in val
    # Four labels of 20 x 48 pixels of sky, 5 of a car.
    assert imbalance == (
        "In train, sky has 768 times as many pixels as car; if rare classes matter, set "
        "--student_class_weights=histogram."
    )


def test_suggestions_are_of_the_first_split(tmp_path):
    write_good(tmp_path)
    write_pair(tmp_path, "val", "f", np.zeros((640, 640, 3), np.uint8), np.zeros((640, 640), "u1"))
    write_pair(tmp_path, "val", "g", np.ones((640, 640, 3), np.uint8), np.zeros((640, 640), "u1"))
    write_pair(tmp_path, "val", "h", np.full((640, 640, 3), 2, "u1"), np.zeros((640, 640), "u1"))

    assert inspected(tmp_path).suggestions().latency_size == (64, 64)
    assert inspected(tmp_path, "val", "train").suggestions().latency_size == (640, 640)


def test_nothing_to_go_by(tmp_path):
    write_pair(tmp_path, "train", "a", np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / "train" / "a.png").write_bytes(b"")
    found = inspected(tmp_path, "train")
    assert found.suggestions() is None
    assert found.to_json()["suggestions"] is None
    with pytest.raises(ValueError, match="No split is named; name at least one"):
        inspect_dataset(CamVid(tmp_path), [])


def test_json(tmp_path):
    found = inspected(write_faulty(tmp_path))

    value = json.loads(json.dumps(found.to_json(), allow_nan=False))

    assert (value["dataset"], value["root"]) == ("camvid", str(tmp_path))
    assert value["trainable"] is False
    assert value["verdict"].endswith("7 faulty files.")
    assert value["faulty_files"][0] == str(tmp_path / "train" / "cut_image.png")
    assert list(value["splits"]) == ["train", "val"]
    assert value["shared_images"] == []
    assert len(value["warnings"]) == 3
    assert value["suggestions"]["student_crop_size"] == [64, 64]


def test_a_split_is_looked_at_once(tmp_path):
    found = inspected(write_good(tmp_path), "train", "train")
    assert [split.name for split in found.splits] == ["train"]


def test_ignored_pixels_are_told(tmp_path):
    write_good(tmp_path)
    half = LABEL.copy()
    half[:16] = 11
    write_pair(tmp_path, "train", "half", label=half)
    assert not any("ignored" in warning for warning in inspected(tmp_path).warnings())
    whole = np.where(LABEL == 11, 0, LABEL)
    write_pair(tmp_path, "train", "whole", label=whole)
    for number in range(4):
        write_pair(tmp_path, "train", f"void{number}", label=np.full_like(LABEL, 11))

    void, mostly, *_ = inspected(tmp_path).warnings()

    labels = tmp_path / "trainannot"
    assert void == (
        f"4 labels with every pixel ignored, useless for training, in train: {labels}/void0.png, "
        f"{labels}/void1.png, {labels}/void2.png and 1 more."
    )
    assert mostly == (
        "1 label with at least half of the pixels ignored in train, compared with 1 with none: "
        f"{labels}/half.png. If those pixels show a class, they are neither trained on nor scored."
    )
    value = inspected(tmp_path).to_json()["splits"]["train"]
    assert len(value["void_labels"]) == 4
    assert value["mostly_ignored_labels"] == [str(labels / "half.png")]


def test_files_that_are_not_taken_are_told(tmp_path):
    write_good(tmp_path)
    for name in ("f.AVIF", "g.avif", "h.npy", "i.txt"):
        (tmp_path / "train" / name).write_bytes(b"")
    found = inspected(tmp_path)
    assert found.is_trainable
    assert found.warnings()[0].startswith(
        f"Not used for train: 3 files (.avif: 2, .npy: 1): {tmp_path}/train/f.AVIF, "
    )
    assert len(found.to_json()["splits"]["train"]["not_taken"]) == 3


def test_palettes_that_differ_between_splits(tmp_path):
    write_good(tmp_path)
    ids = np.where(LABEL == 11, 0, LABEL)
    for path, colors in (("trainannot/a.png", [9, 8, 7]), ("valannot/d.png", [7, 8, 9])):
        (tmp_path / path).write_bytes(png(ids, 3, 8, np.outer(range(4), colors)))
    found = inspected(tmp_path)
    assert not found.is_trainable
    assert found.verdict().endswith(
        "cannot be used for training: its labels are encoded inconsistently."
    )
    assert found.label_problem.startswith("The palettes of labels differ: the index 3 is (27, 24, ")
    assert found.to_json()["label_problem"] == found.label_problem
    assert found.label_problem in inspection_report(found)
    assert inspected(tmp_path, "train").is_trainable
