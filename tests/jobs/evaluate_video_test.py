"""Scores of masks on a split of DAVIS 2017, and one sentence for what is missing or different."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.files import write_json
from keras_fasterseg.jobs.evaluate_video import evaluate_video
from keras_fasterseg.video_objects.davis import Davis, write_mask

SIZE = (48, 64)
NUM_FRAMES = 5


def write_davis(root: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Writes a data set with two objects in `dog` and one in `cat`; returns its masks."""
    truths: dict[str, list[np.ndarray]] = {}
    for name, num_objects in (("dog", 2), ("cat", 1)):
        truths[name] = []
        for frame in range(NUM_FRAMES):
            ids = np.zeros(SIZE, np.uint8)
            for number in range(num_objects):
                ids[4 + 20 * number :, 8 + frame :][:14, :20] = number + 1
            truths[name].append(ids)
        frames = root / "JPEGImages" / "480p" / name
        frames.mkdir(parents=True)
        for frame in range(NUM_FRAMES):
            Image.new("RGB", SIZE[::-1]).save(frames / f"{frame:05d}.jpg")
    write_masks(root / "Annotations" / "480p", truths)
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("dog\ncat\n")
    return truths


def write_masks(folder: pathlib.Path, masks: dict[str, list[np.ndarray]]) -> None:
    for name, of_frames in masks.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for frame, ids in enumerate(of_frames):
            write_mask(folder / name / f"{frame:05d}.png", ids)


@pytest.fixture
def truths(tmp_path):
    return write_davis(tmp_path / "davis")


@pytest.fixture
def davis(tmp_path, truths):
    return Davis(tmp_path / "davis")


def test_a_lost_object(tmp_path, truths, davis):
    masks = {
        "dog": [np.where(ids == 2, 0, ids).astype(np.uint8) for ids in truths["dog"]],
        "cat": truths["cat"],
    }
    write_masks(tmp_path / "results", masks)
    (tmp_path / "results" / "notes.txt").touch()
    report = evaluate_video(tmp_path / "results", davis, "val", progress=False)
    assert report.scores.j_and_f == pytest.approx(2 / 3)
    np.testing.assert_array_equal(report.scores.sequences["dog"].region, [[1, 1, 1], [0, 0, 0]])
    lines = report.text().splitlines()
    assert lines[0].split("  ")[0] == "sequence"
    assert lines[-1] == "J&F 66.67 %, 3 objects in 2 sequences of val"
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in lines[2:-2]}
    assert rows["dog", "all"][:2] == ["50.00", "50.00"]
    assert rows["dog", "2"] == ["0.00"] * 7
    assert rows["cat", "all"][:3] == ["100.00"] * 3
    assert rows["all", "all"] == [*["66.67"] * 3, "0.00", *["66.67"] * 2, "0.00"]
    value = report.to_json()
    write_json(tmp_path / "scores.json", value)
    assert value["split"] == "val"
    assert value["results"] == str(tmp_path / "results")
    assert value["sequences"]["dog"]["objects"]["1"]["j"]["mean"] == 1


def test_masks_of_frames_without_a_true_one_are_not_read(tmp_path, truths, davis):
    (tmp_path / "davis" / "Annotations" / "480p" / "dog" / "00002.png").unlink()
    write_masks(tmp_path / "results", truths)
    (tmp_path / "results" / "dog" / "00002.png").write_bytes(b"damaged")
    report = evaluate_video(tmp_path / "results", davis, "val", progress=False)
    assert report.scores.sequences["dog"].region.shape == (2, 2)
    assert report.scores.j_and_f == 1


def test_one_sentence(tmp_path, truths, davis):
    results = tmp_path / "results"

    def fails(expected: str) -> None:
        with pytest.raises(DataError, match=expected):
            evaluate_video(results, davis, "val", progress=False)

    write_masks(results, {"dog": truths["dog"]})
    fails(r"The folder .*results/cat does not exist; there must be one folder of masks")
    write_masks(results, {"cat": truths["cat"][:3]})
    fails(r"2 masks are missing in .*results/cat: .*cat/00003\.png, .*; write one for every")
    write_masks(results, {"cat": [*truths["cat"][:4], truths["cat"][4][1:]]})
    fails(r"cat/00004\.png is 47 x 64 \(height x width\), but the true mask .* is 48 x 64; write")
    write_masks(results, {"cat": [2 * ids for ids in truths["cat"]]})
    fails(r"The masks in .*results/cat have no score: Ids of masks must be at most 1")
    write_masks(results, truths)
    Image.new("RGB", SIZE[::-1]).save(results / "cat" / "00001.png")
    fails(r"00001\.png is stored as 8-bit RGB PNG, but it must hold one id per pixel")
    (results / "cat" / "00001.png").write_bytes(b"damaged")
    fails(r"00001\.png is not an image that can be read")


def test_a_split_without_masks(tmp_path, truths, davis):
    for path in (tmp_path / "davis" / "Annotations" / "480p" / "cat").glob("0000[1-4].png"):
        path.unlink()
    write_masks(tmp_path / "results", truths)
    with pytest.raises(
        DataError, match=r"The sequence cat of val has 1 true mask, but scores need 3"
    ):
        evaluate_video(tmp_path / "results", davis, "val", progress=False)
    with pytest.raises(DataError, match="has no split 'train'"):
        evaluate_video(tmp_path / "results", davis, "train", progress=False)
