from keras_fasterseg.data.shared_images import shared_images


def write(folder, **contents):
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def test_equal_bytes_in_two_splits(tmp_path):
    # `b` and `d` are of one length, but not alike; `e` is twice in one split alone.
    train = write(tmp_path / "train", a=b"one", b=b"two", c=b"three", e=b"eeeee", f=b"eeeee")
    val = write(tmp_path / "val", x=b"three", d=b"owt", y=b"one!")
    test = write(tmp_path / "test", a=b"one", z=b"three")

    found = shared_images({"train": train, "val": val, "test": test})

    root = tmp_path
    assert sorted(found, key=len) == [
        {"train": [root / "train/a"], "test": [root / "test/a"]},
        {"train": [root / "train/c"], "val": [root / "val/x"], "test": [root / "test/z"]},
    ]


def test_nothing_in_common(tmp_path):
    assert shared_images({}) == []
    assert shared_images({"train": write(tmp_path / "train", a=b"one", b=b"one")}) == []
