"""Networks that users choose by name: presets and files."""

import json

import pytest

from keras_fasterseg.spaces.registry import load_preset, resolve_genotype


def test_preset_and_file_of_the_same_network(tmp_path):
    preset = load_preset("fasterseg_student")
    preset.save(tmp_path / "mine.json")
    assert resolve_genotype("fasterseg_student") == preset
    assert resolve_genotype(str(tmp_path / "mine.json")) == preset


def test_neither_preset_nor_file():
    with pytest.raises(FileNotFoundError, match=r"'x' is neither a preset \(fasterseg_student, f"):
        resolve_genotype("x")


@pytest.mark.parametrize("fields", [{}, {"branches": None}])
def test_another_space_is_named_before_anything_else(tmp_path, fields):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"space": "unheard_of", **fields}), encoding="utf-8")
    with pytest.raises(
        ValueError,
        match=r"other\.json is not a valid genotype: Unknown search space 'unheard_of'; choose",
    ):
        resolve_genotype(str(path))


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not a JSON file"), ("[]", "is not a valid genotype")]
)
def test_files_that_are_no_genotype(tmp_path, text, message):
    path = tmp_path / "some.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        resolve_genotype(str(path))
