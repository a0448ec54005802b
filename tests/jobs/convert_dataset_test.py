"""Conversions that are stopped, repeated, or meant for another folder."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data import shard_writer
from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.registry import load_source
from keras_fasterseg.files import read_json
from keras_fasterseg.jobs.convert_dataset import ConversionSettings, convert_dataset

SETTINGS = ConversionSettings(shard_mb=0.004)
SPLITS = {"train": 5, "val": 2}


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "files"
    for split, count in SPLITS.items():
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir(parents=True)
        for number in range(count):
            add(root, split, number)
    return CamVid(root)


def add(root, split, number):
    rng = np.random.default_rng(100 * len(split) + number)
    image, label = rng.integers(0, 256, (32, 40, 3)), rng.integers(0, 12, (32, 40))
    Image.fromarray(image.astype(np.uint8)).save(root / split / f"{number}.png")
    Image.fromarray(label.astype(np.uint8)).save(root / f"{split}annot" / f"{number}.png")


def convert(source, target, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    return convert_dataset(source, "camvid", target, settings, progress=False)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.tfrecord")}


@pytest.fixture
def expected(source, tmp_path):
    """Files of an uninterrupted conversion."""
    convert(source, tmp_path / "expected")
    return contents(tmp_path / "expected")


class StoppedError(Exception):
    pass


def stop_at_record(monkeypatch, number):
    """Lets the writer fail at that record, counted over all shards."""
    original, count = shard_writer.write_record, iter(range(1000))

    def write(file, record):
        if next(count) == number:
            raise StoppedError
        original(file, record)

    monkeypatch.setattr(shard_writer, "write_record", write)


def test_same_files_same_bytes(source, tmp_path, expected):
    assert sorted(expected) == [
        "index.json",
        *(f"train-0000{number}.tfrecord" for number in range(5)),
        *(f"val-0000{number}.tfrecord" for number in range(2)),
    ]
    convert(source, tmp_path / "again")
    assert contents(tmp_path / "again") == expected


@pytest.mark.parametrize("record", [0, 2, 5, 6])
def test_a_stopped_one_goes_on_and_keeps_what_is_finished(
    source, tmp_path, expected, monkeypatch, record
):
    target = tmp_path / "shards"
    with monkeypatch.context() as patch:
        stop_at_record(patch, record)
        with pytest.raises(StoppedError):
            convert(source, target)
    # A shard holds one record.
    kept = times(target)
    assert sorted(kept) == sorted(expected)[1 : 1 + record]
    assert sorted(contents(target)) == sorted([*kept, "unfinished.json"])
    with pytest.raises(DataError, match="is incomplete; run the same command again to resume"):
        load_source("camvid", target)

    convert(source, target)

    assert contents(target) == expected
    assert kept.items() <= times(target).items()


def test_what_a_kill_has_left_is_removed(source, tmp_path, expected, monkeypatch):
    target = tmp_path / "shards"
    with monkeypatch.context() as patch:
        stop_at_record(patch, 3)
        with pytest.raises(StoppedError):
            convert(source, target)
    scratch = target / ".train-00003.tfrecord.x1.partial"
    scratch.mkdir()
    (scratch / "train-00003.tfrecord").write_bytes(b"half")

    convert(source, target)

    assert contents(target) == expected


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
@pytest.mark.parametrize("finished", [True, False])
def test_damaged_shards_are_written_again(
    source, tmp_path, expected, monkeypatch, damage, finished
):
    target = tmp_path / "shards"
    with monkeypatch.context() as patch:
        stop_at_record(patch, 1000 if finished else 4)
        if finished:
            convert(source, target)
        else:
            with pytest.raises(StoppedError):
                convert(source, target)
    first = times(target)["train-00000.tfrecord"]
    path = target / "train-00001.tfrecord"
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(data[:100] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))

    convert(source, target)

    assert contents(target) == expected
    assert times(target)["train-00000.tfrecord"] == first


def test_a_finished_one_is_left_as_it_is(source, tmp_path):
    target = tmp_path / "shards"
    convert(source, target)
    before = times(target)
    assert convert(source, target).verify(progress=False) == 7
    assert times(target) == before


def test_a_faulty_file_is_named_and_can_be_replaced(source, tmp_path, expected):
    target = tmp_path / "shards"
    path = source.root / "train" / "3.png"
    data = path.read_bytes()
    path.write_bytes(data[:200])
    with pytest.raises(DataError, match=r"train/3\.png is damaged"):
        convert(source, target)
    assert len(times(target)) == 3
    path.write_bytes(data)

    convert(source, target)

    assert contents(target) == expected


def test_files_that_come_before_it_is_finished(source, tmp_path, monkeypatch):
    target = tmp_path / "shards"
    with monkeypatch.context() as patch:
        stop_at_record(patch, 6)
        with pytest.raises(StoppedError):
            convert(source, target, shard_mb=0.009)
    add(source.root, "train", 5)

    convert(source, target, shard_mb=0.009)

    # The third shard held the fifth sample alone.
    convert(source, tmp_path / "again", shard_mb=0.009)
    assert contents(target) == contents(tmp_path / "again")
    assert len(list(target.glob("train-*"))) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "raw"}, "converted with encoding=png, not raw; choose another folder"),
        ({"downsample": 2}, "with downsample=1, not 2"),
        ({"shard_mb": 1.0}, "with shard_mb=0.004, not 1.0"),
        ({"splits": "val"}, "holds the splits train, val, not val"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_a_target_of_other_settings(source, tmp_path, monkeypatch, changes, words, finished):
    target = tmp_path / "shards"
    with monkeypatch.context() as patch:
        stop_at_record(patch, 1000 if finished else 2)
        if finished:
            convert(source, target)
        else:
            with pytest.raises(StoppedError):
                convert(source, target)
    before = contents(target)

    with pytest.raises(DataError, match=words):
        convert(source, target, **changes)
    assert contents(target) == before


def test_a_target_of_other_files(source, tmp_path):
    target = tmp_path / "shards"
    convert(source, target)
    before = contents(target)
    add(source.root, "val", 2)
    with pytest.raises(DataError, match="holds a conversion of other files; choose another"):
        convert(source, target)
    (source.root / "val" / "2.png").unlink()
    (source.root / "train" / "4.png").write_bytes(b"x")
    with pytest.raises(DataError, match="other files"):
        convert(source, target)
    assert contents(target) == before


def test_a_target_of_other_classes(source, tmp_path):
    convert(source, tmp_path / "shards")
    source.class_names = ("air", *source.class_names[1:])
    with pytest.raises(DataError, match="with other classes"):
        convert(source, tmp_path / "shards")


def test_a_foreign_folder_is_left_alone(source, tmp_path):
    before = read_all(source.root)
    with pytest.raises(DataError, match="is not empty and holds no converted data set"):
        convert(source, source.root)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"page/index\.json is not the index of a converted"):
        convert(source, tmp_path / "page")
    with pytest.raises(OSError, match=r"page/index\.json cannot be created"):
        convert(source, tmp_path / "page" / "index.json")
    assert read_all(source.root) == before
    assert read_all(tmp_path / "page") == {tmp_path / "page" / "index.json": b"{}"}


def read_all(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_cannot_be_converted(source, tmp_path):
    converted = convert(source, tmp_path / "shards")
    with pytest.raises(ValueError, match="shards is already a converted data set"):
        convert(converted, tmp_path / "again")
    with pytest.raises(ValueError, match="no split 'test'; it has train, val"):
        convert(source, tmp_path / "again", splits="train,test")
    with pytest.raises(ValueError, match=r"once\. Received: splits=val,val"):
        convert(source, tmp_path / "again", splits="val,val")
    assert not (tmp_path / "again").exists()


def test_the_index_tells_all(source, tmp_path):
    convert(source, tmp_path / "shards", downsample=2, splits="val")
    value = read_json(tmp_path / "shards" / "index.json")
    assert value["dataset"] == value["name"] == "camvid"
    assert value["class_names"][0] == "sky"
    assert value["palette"][0] == [128, 128, 128]
    assert value["mean"] == [0.485, 0.456, 0.406]
    records = [record for shard in value["splits"]["val"] for record in shard["records"]]
    assert [(each["name"], each["height"], each["width"]) for each in records] == [
        ("val/0.png", 16, 20),
        ("val/1.png", 16, 20),
    ]
