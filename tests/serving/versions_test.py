from keras_fasterseg.serving.versions import next_version, versions


def test_only_plain_numbers_of_folders_are_versions(tmp_path):
    for name in ("1", "10", "2", "01", "x", ".3.abc.partial", "²"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").write_text("a file")
    assert versions(tmp_path) == [1, 2, 10]
    assert next_version(tmp_path) == 11


def test_a_model_that_is_not_there_begins_with_1(tmp_path):
    assert versions(tmp_path / "none") == []
    assert next_version(tmp_path / "none") == 1
