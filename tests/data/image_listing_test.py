import pathlib

import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_listing import (
    IMAGE_SUFFIXES,
    find_images_below,
    in_numeric_order,
    labels_by_stem,
    look_alikes_below,
    others_of_a_name,
)


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def relative(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


def test_images_below_a_folder(tmp_path):
    for name in ("b.png", "x/a.JPG", "x/y/c.jpeg", ".x/d.png", "x/.e.png", "x/f.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    names = [path.relative_to(tmp_path).as_posix() for path in find_images_below(tmp_path)]
    assert names == ["b.png", "x/a.JPG", "x/y/c.jpeg"]
    with pytest.raises(DataError, match=r"The folder .*gone does not exist"):
        find_images_below(tmp_path / "gone")


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_suffix_in_any_case(tmp_path, suffix):
    touch(tmp_path, f"a{suffix}", f"B{suffix.upper()}")
    assert relative(find_images_below(tmp_path), tmp_path) == [f"B{suffix.upper()}", f"a{suffix}"]


def test_files_that_look_like_data(tmp_path):
    touch(tmp_path, "a.png", "b.AVIF", "x/c.npy", "notes.txt", "d.json", ".e.gif", "empty")
    Image.new("L", (2, 2)).save(tmp_path / "x" / "frame", "JPEG")
    (tmp_path / "README").write_text("No image.")
    found = relative(look_alikes_below(tmp_path), tmp_path)
    assert found == ["b.AVIF", "x/c.npy", "x/frame"]
    assert look_alikes_below(tmp_path / "gone") == []


def test_the_label_of_several_files(tmp_path):
    touch(tmp_path, "a.jpg", "a.PNG", "a.png", "b.jpg", "b.TIF", "c.JPG", "x/d.bmp")
    names = {stem: path.name for stem, path in labels_by_stem(tmp_path).items()}
    assert names == {"a": "a.png", "b": "b.TIF", "c": "c.JPG"}
    below = labels_by_stem(tmp_path, below=True)
    assert below["x/d"] == tmp_path / "x" / "d.bmp"
    assert labels_by_stem(tmp_path / "gone") == {}


def test_other_files_of_a_name(tmp_path):
    touch(tmp_path, "a.png", "a.TIF", "a.b.png", "a.npy", ".a.png", "x/a.tif", "c.png", "d.bmp")
    paths = [tmp_path / name for name in ("a.png", "c.png", "d.png", "gone/e.png")]
    assert relative(sorted(others_of_a_name(paths)), tmp_path) == ["a.TIF", "d.bmp"]


def test_numbers_are_sorted_by_value():
    names = ["10.png", "9.png", "a2b10.jpg", "a2b9.jpg", "a10.png", "a.png", "010.png"]
    ordered = [path.name for path in in_numeric_order(map(pathlib.Path, names))]
    assert ordered == ["9.png", "010.png", "10.png", "a.png", "a2b9.jpg", "a2b10.jpg", "a10.png"]
