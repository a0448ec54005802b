import os

import pytest

from keras_fasterseg.data.folder import Folder
from keras_fasterseg.files import read_json
from keras_fasterseg.run import inputs as module
from keras_fasterseg.run.inputs import Input, InputFiles, network_input
from tests.data.own_files import write_pair


@pytest.fixture
def yard(tmp_path):
    root = tmp_path / "yard"
    for name in "ab":
        write_pair(
            root / "images" / "train" / f"{name}.png", root / "labels" / "train" / f"{name}.png"
        )
    (root / "dataset.yaml").write_text("classes: [ground, lane]", encoding="utf-8")
    return root


def test_an_unchanged_file_is_read_once(yard, tmp_path, monkeypatch):
    read = []
    original = module.sha256
    monkeypatch.setattr(module, "sha256", lambda path: read.append(path.name) or original(path))
    files = InputFiles(tmp_path / "inputs")
    first = files.split(Folder(yard), "train")
    assert len(read) == len(first.files) == 4
    assert files.split(Folder(yard), "train") == first
    assert len(read) == 4
    # Written again with the same content: read, and the same.
    label = yard / "labels" / "train" / "a.png"
    os.utime(label, (0, 0))
    assert files.split(Folder(yard), "train") == first
    assert read[4:] == ["a.png"]
    assert read_json(tmp_path / "inputs" / f"{first.sha256}.json") == first.files


def test_a_digest_does_not_depend_on_where_files_lie_or_whether_they_are_kept(yard, tmp_path):
    first = InputFiles().split(Folder(yard), "train")
    yard.rename(tmp_path / "moved")
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "known.json").write_text("{", encoding="utf-8")
    second = InputFiles(tmp_path / "inputs").split(Folder(tmp_path / "moved"), "train")
    assert (first.sha256, first.files) == (second.sha256, second.files)


def test_changes_are_counted_and_the_first_are_named(tmp_path):
    files = InputFiles(tmp_path)
    before = {"a": "1", "b": "2", **{f"c{index}": "3" for index in range(5)}}
    (tmp_path / "x.json").write_text(str(before).replace("'", '"'), encoding="utf-8")
    now = Input("yard", "y", {"a": "1", "b": "9", "d": "4"})
    assert files.changes("the split 'train'", {"sha256": "x"}, now) == (
        "the split 'train' in yard: 1 changed (b); 1 new (d); 5 gone (c0, c1, c2, ...)"
    )
    assert files.changes("the split 'val'", {"sha256": "x"}, None) == (
        "the split 'val': no longer read"
    )
    assert files.changes("the teacher", {"sha256": "x"}, Input("a.keras", "y")) == (
        "the teacher: changed (a.keras)"
    )


def test_what_is_no_archive_is_no_network(tmp_path):
    (tmp_path / "network.keras").write_text("no", encoding="utf-8")
    with pytest.raises(ValueError, match=r"network\.keras is not a trained network"):
        network_input(tmp_path / "network.keras")
