from keras_fasterseg.data import shared_images as module
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


def test_files_of_one_length_are_told_apart_without_their_digests(tmp_path, monkeypatch):
    """As BMP images are: only where the middles agree too are files read as a whole."""
    contents = [bytes([number]) * 20000 for number in range(4)]
    same = contents[3][:19999] + b"!"
    train = write(tmp_path / "train", a=contents[0], b=contents[1], c=contents[3])
    val = write(tmp_path / "val", d=contents[2], e=contents[1], f=same)
    read = []
    monkeypatch.setattr(module, "sha256", lambda path: read.append(path.name) or path.read_bytes())
    found = module.shared_images({"train": train, "val": val})
    assert found == [{"train": [train[1]], "val": [val[1]]}]
    assert sorted(read) == ["b", "c", "e", "f"]
