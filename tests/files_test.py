"""Files are written atomically: complete or not at all."""

import re

import pytest

from keras_fasterseg.files import atomic_path, parse_json, read_json, shown, write_json


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
    with pytest.raises(FileNotFoundError, match=r"The file .*missing\.json does not exist"):
        read_json(tmp_path / "missing.json")
    (tmp_path / "cut.json").write_text('{"rows": ')
    with pytest.raises(ValueError, match=r"cut\.json is not a JSON file"):
        read_json(tmp_path / "cut.json")


@pytest.mark.parametrize("value", ["0", "-9223372036854775808", "18446744073709551615", "1e308"])
def test_numbers_that_have_room_are_read(value):
    assert parse_json(f"[{value}]") == [float(value) if "e" in value else int(value)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "it contains NaN, which is not a JSON number"),
        ("[1, -Infinity]", "it contains -Infinity"),
        ("1e400", "its number 1e400 is too large for a floating-point number"),
        ("1" + 400 * "0", "its integer 10000000000000000000... has 401 digits"),
        # Python's own limit is at 4300 digits.
        ("-" + 5000 * "9", "has 5001 digits and does not fit 64 bits"),
        ("18446744073709551616", "has 20 digits and does not fit 64 bits"),
        (100_000 * "[", "nested too deeply"),
        ("[1", "Expecting ',' delimiter"),
        ('"\\x"', "Invalid"),
    ],
)
def test_values_that_no_file_of_ours_has_are_refused(tmp_path, text, message):
    path = tmp_path / "facts.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_json(path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_file_is_not_read_into_memory_whatever_its_size(tmp_path):
    path = tmp_path / "facts.json"
    with open(path, "wb") as file:
        file.truncate(2**29 + 1)
    with pytest.raises(ValueError, match="has 536870913 bytes, more than"):
        read_json(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        pytest.param(10**5000, "an integer of 16610 bits", id="huge"),
        ("a" * 99, "'aaaaaaaaaaaa...aaaaaaaaaaaaa'"),
    ],
)
def test_values_are_shown_cut_short(value, text):
    assert shown(value) == text
