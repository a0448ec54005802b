import copy
import json

import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.shard_index import (
    FORMAT,
    Record,
    Shard,
    ShardIndex,
    is_index,
    read_index,
)

RECORDS = (Record("a/1.png", 0, 100, 7, 4, 6), Record("2.png", 116, 50, 8, 5, 7))
INDEX = ShardIndex(
    dataset="camvid",
    name="camvid",
    encoding="png",
    downsample=2,
    shard_mb=0.5,
    class_names=("sky", "road"),
    palette=((1, 2, 3), (4, 5, 255)),
    ignore_label=255,
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    splits={"train": (Shard("train-00000.tfrecord", 182, "ab", "cd", RECORDS),), "val": ()},
)


@pytest.fixture
def path(tmp_path):
    INDEX.save(tmp_path / "index.json")
    return tmp_path / "index.json"


def test_it_is_read_as_it_was_written(path):
    assert read_index(path) == INDEX
    assert is_index(path)


def test_files_of_others_are_told_apart(tmp_path):
    path = tmp_path / "index.json"
    assert not is_index(path)
    path.write_text('{"pages": []}', encoding="utf-8")
    assert not is_index(path)
    with pytest.raises(DataError, match=r"index\.json is not the index of a converted data set"):
        read_index(path)
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(DataError, match="is not the index"):
        read_index(path)


def test_one_that_was_cut_off_is_still_ours(path):
    path.write_text(path.read_text(encoding="utf-8")[:300], encoding="utf-8")
    assert is_index(path)
    with pytest.raises(ValueError, match=r"index\.json is not a JSON file"):
        read_index(path)


SHARD = ("splits", "train", 0)
RECORD = (*SHARD, "records", 1)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("version",), 2, "has version 2, but this program reads version 1"),
        (("dataset",), None, "expected a non-empty string, received None"),
        (("encoding",), "jpeg", "must be one of png, raw .* received 'jpeg'"),
        (("ignore_label",), 0, "`ignore_label` 255, received 'png' and 0"),
        (("class_names",), ["sky"], "1 names and 2 colours"),
        (("class_names",), "sky", "'class_names' must be a list, received 'sky'"),
        (("palette", 0), [1, 2, 256], r"from 0 to 255, received \[1, 2, 256\]"),
        (("palette", 0), [1, 2], "a colour must be three numbers"),
        (("mean",), [0.1, 0.2], "mean"),
        (("std", 1), 0.0, r"must be above 0\. Received: std=\[0.4, 0.0, 0.6\]; convert"),
        (("downsample",), 1.5, "a whole number from 0 to 9223372036854775807, received 1.5"),
        (("shard_mb",), "1", "expected a number of at most 9223372036854775807, received '1'"),
        (("splits",), [], r"`splits` must be a mapping, received \[\]"),
        (
            (*SHARD, "file"),
            "../x.tfrecord",
            r"the path '\.\./x\.tfrecord' must stay inside the folder",
        ),
        ((*SHARD, "file"), "/etc/passwd", "the path '/etc/passwd' must stay inside the folder"),
        ((*SHARD, "file"), "a/x.tfrecord", "must be in the folder of the index"),
        ((*SHARD, "size"), 183, "have 182 bytes, but the shard has 183"),
        ((*SHARD, "size"), True, "a whole number from 0 to 9223372036854775807, received True"),
        ((*RECORD, "name"), "a/../../b.png", "must stay inside the folder"),
        ((*RECORD, "offset"), 100, "'2.png' of train-00000.tfrecord must begin at byte 116"),
        ((*RECORD, "size"), -1, "received -1"),
        (
            (*RECORD, "size"),
            2**63,
            "a whole number from 0 to .*, received 9223372036854775808; convert",
        ),
        (
            (*RECORD, "height"),
            0,
            "the record '2.png' must be 1 to 2147483647 pixels, received 0 x 7",
        ),
        ((*RECORD, "width"), 2**31, "pixels, received 5 x 2147483648"),
        (("shard_mb",), -1e30, "expected a number of at most .*, received -1e.30"),
        (("mean", 0), 1e30, "expected a number of at most .*, received 1e.30"),
        (RECORD, 5, "'name' is missing"),
    ],
)
def test_what_is_wrong_is_said(path, place, value, words):
    content = json.loads(path.read_text(encoding="utf-8"))
    where = content
    for key in place[:-1]:
        where = where[key]
    where[place[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(DataError, match=words) as failure:
        read_index(path)
    assert str(path) in str(failure.value)


def test_what_is_missing_is_said(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["format"] == FORMAT
    for key in content.keys() - {"format", "version"}:
        rest = copy.copy(content)
        del rest[key]
        path.write_text(json.dumps(rest), encoding="utf-8")
        with pytest.raises(DataError, match=f"'{key}' is missing"):
            read_index(path)
