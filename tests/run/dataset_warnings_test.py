import pathlib

import pytest
from absl import logging

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.run.dataset_warnings import (
    passed_over_sentences,
    shared_image_sentences,
    warn_of_files,
)
from tests.faulty_camvid import write_good


@pytest.fixture
def warnings(monkeypatch):
    """The sentences that are logged as warnings."""
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    return said


def test_nothing_to_say(tmp_path, warnings):
    warn_of_files(CamVid(write_good(tmp_path)), ("train", "val"))
    assert warnings == []
    assert list(passed_over_sentences("train", [])) == list(shared_image_sentences([])) == []


def test_both_kinds(tmp_path, warnings):
    write_good(tmp_path)
    (tmp_path / "val" / "d.png").write_bytes((tmp_path / "train" / "a.png").read_bytes())
    (tmp_path / "train" / "b.jxl").write_bytes(b"")
    warn_of_files(CamVid(tmp_path), ("train", "val"))
    taken = (
        "Only PNG, JPEG, BMP, TIFF, WEBP, PPM files in the split's folders are used; if several "
        "have the same name, only the .png."
    )
    assert warnings == [
        f"Not used for train: 1 file (.jxl: 1): {tmp_path}/train/b.jxl. {taken}",
        "1 image in more than one split (identical bytes), so scores include training images: "
        f"{tmp_path}/train/a.png = {tmp_path}/val/d.png.",
    ]


def test_files_without_a_suffix_are_counted():
    files = [pathlib.Path(name) for name in ("a", "b.NPY", "c.npy")]
    (sentence,) = passed_over_sentences("val", files)
    assert sentence.startswith(
        "Not used for val: 3 files (.npy: 2, no suffix: 1): a, b.NPY, c.npy."
    )
