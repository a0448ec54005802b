"""Files are whole or not there."""

import pytest

from keras_fasterseg.files import atomic_path, read_json, write_json


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.json"
    write_json(target, {"rows": 1})

    def fail_halfway():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail_halfway()
    assert read_json(target) == {"rows": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "model"
    for version in ("old", "new"):
        with atomic_path(target) as temporary:
            temporary.mkdir()
            (temporary / version).touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_not_a_number_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "result.json", float("nan"))
    assert not list(tmp_path.iterdir())


def test_reading_says_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*missing\.json"):
        read_json(tmp_path / "missing.json")
    (tmp_path / "cut.json").write_text('{"rows": ')
    with pytest.raises(ValueError, match=r"cut\.json is not a JSON file"):
        read_json(tmp_path / "cut.json")
