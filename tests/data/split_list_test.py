import pathlib

import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.split_list import listed_images

FOLDER = pathlib.Path("images")
BY_STEM = {stem: FOLDER / f"{stem}.jpg" for stem in ("a", "b.left", "ulm/c", "d.png")}


@pytest.fixture
def listed(tmp_path):
    def listed(content):
        path = tmp_path / "train.txt"
        path.write_bytes(content)
        return listed_images(path, BY_STEM, FOLDER)

    return listed


def test_stems_and_names(listed):
    found = listed("\ufeffulm/c\r\n\n  a.jpg \nb.left\nd.png\n".encode())
    assert found == {stem: BY_STEM[stem] for stem in ("ulm/c", "a", "b.left", "d.png")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\n", r"train\.txt lists b, but there is no such image in images"),
        (b"../a\n", r"train\.txt lists \.\./a, but there is no such image"),
        (b"a\na.png\n", r"train\.txt lists a\.png twice"),
        (b"\xff\n", r"train\.txt is not UTF-8 text"),
    ],
)
def test_wrong_lists(listed, content, message):
    with pytest.raises(DataError, match=message):
        listed(content)
