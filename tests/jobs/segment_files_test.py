import logging

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.jobs.segment_files import find_image_files, segment_files
from keras_fasterseg.serving.errors import ServingError, TransientServingError
from keras_fasterseg.visualization.segmentation_pictures import (
    LABEL_MAP,
    OVERLAY,
    SIDE_BY_SIDE,
    SegmentationPictures,
)
from tests.stand_in import random_images

PALETTE = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)
PICTURES = SegmentationPictures(PALETTE)
COLORS = SegmentationPictures(PALETTE, opacity=1.0)


def bright(images):
    """Class 1 where red is above 127, an independent pixel-wise rule."""
    assert images.shape[0] == 1
    return (images[..., 0] > 127).astype(np.uint8)


def make_images(folder, *names):
    folder.mkdir(exist_ok=True)
    pixels = {}
    for seed, name in enumerate(names):
        pixels[name] = random_images(32, 40 + seed, seed=seed)
        Image.fromarray(pixels[name]).save(folder / name)
    return pixels


def segment(segments, images, target, pictures):
    return segment_files(segments, find_image_files(images, target, pictures.kinds), pictures)


def test_a_folder(tmp_path):
    pixels = make_images(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "in" / "notes.txt").touch()
    result = segment([bright], tmp_path / "in", tmp_path / "out", COLORS)
    assert result.done == (tmp_path / "in" / "a.png", tmp_path / "in" / "b.png")
    assert not result.failures
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("a.png", "a_overlay.png", "b.png", "b_overlay.png")
    ]
    for name, image in pixels.items():
        class_ids = bright(image[np.newaxis])[0]
        written = np.asarray(Image.open(tmp_path / "out" / name))
        np.testing.assert_array_equal(written, class_ids)
        overlay = Image.open(tmp_path / "out" / name.replace(".", "_overlay."))
        np.testing.assert_array_equal(np.asarray(overlay), PALETTE[class_ids])


def test_the_limit_of_megapixels(tmp_path):
    make_images(tmp_path, "a.png")
    images = find_image_files(tmp_path / "a.png", tmp_path / "out", COLORS.kinds)
    (failure,) = segment_files([bright], images, COLORS, max_megapixels=0).failures
    assert failure.startswith(f"{tmp_path}/a.png is 32 x 40, 0.0 megapixels, and the limit is 0; ")


def test_a_file_without_overlay(tmp_path):
    make_images(tmp_path, "a.jpg")
    pictures = SegmentationPictures(PALETTE, (LABEL_MAP,))
    result = segment([bright], tmp_path / "a.jpg", tmp_path / "out", pictures)
    assert result.done == (tmp_path / "a.jpg",)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_pattern_finds_files_in_several_folders(tmp_path):
    make_images(tmp_path / "x", "a.png", "b.jpg")
    make_images(tmp_path / "y", "c.png")
    (tmp_path / "d.png").mkdir()
    pictures = SegmentationPictures(PALETTE, (OVERLAY,))
    result = segment([bright], tmp_path / "**" / "*.png", tmp_path / "out", pictures)
    assert result.done == (tmp_path / "x" / "a.png", tmp_path / "y" / "c.png")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a_overlay.png", "c_overlay.png"]
    # A file that is called like a pattern is a file.
    make_images(tmp_path, "e[1].png")
    result = segment([bright], tmp_path / "e[1].png", tmp_path / "out", pictures)
    assert result.done == (tmp_path / "e[1].png",)


def test_two_networks_are_compared(tmp_path):
    pixels = make_images(tmp_path, "a.png")["a.png"]
    pictures = SegmentationPictures(
        PALETTE, (LABEL_MAP, SIDE_BY_SIDE), opacity=1.0, titles=("one", "other")
    )
    networks = [bright, lambda images: 1 - bright(images)]
    segment(networks, tmp_path / "a.png", tmp_path / "out", pictures)
    class_ids = bright(pixels[np.newaxis])[0]
    written = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    np.testing.assert_array_equal(written, class_ids)
    beside = np.asarray(Image.open(tmp_path / "out" / "a_side_by_side.png"))[-32:]
    np.testing.assert_array_equal(beside[:, :40], PALETTE[class_ids])
    np.testing.assert_array_equal(beside[:, -40:], PALETTE[1 - class_ids])


def test_a_faulty_image_does_not_stop_the_others(tmp_path):
    make_images(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    (tmp_path / "in" / "a.png").write_bytes(b"no image")

    def refuses_second(images):
        if images.shape[2] == 41:
            raise ServingError("the server refuses it")
        return bright(images)

    result = segment([refuses_second], tmp_path / "in", tmp_path / "out", PICTURES)
    assert [path.name for path in result.done] == ["c.png", "d.png"]
    first, second = result.failures
    formats = "PNG, JPEG, BMP, TIFF, WEBP, PPM"
    assert first == (
        f"{tmp_path}/in/a.png is not an image that can be read ({formats}); replace the file."
    )
    assert second == f"{tmp_path}/in/b.png: the server refuses it"
    assert result.left_out == 0


def test_a_server_that_has_gone_ends_it(tmp_path):
    make_images(tmp_path / "in", "a.png", "b.png", "c.png")
    asked = []

    def goes(images):
        asked.append(images)
        if len(asked) == 2:
            raise TransientServingError("gone")
        return bright(images)

    result = segment([goes], tmp_path / "in", tmp_path / "out", PICTURES)
    assert len(asked) == 2
    assert [path.name for path in result.done] == ["a.png"]
    assert result.failures == (f"{tmp_path}/in/b.png: gone",)
    assert result.left_out == 1


def refuse(_):
    pytest.fail("asked in vain")


def test_of_two_images_of_one_name_the_second_is_left_out(tmp_path):
    pixels = make_images(tmp_path / "in", "a.jpg", "a.png", "b.png", "b_overlay.png", "c.png")
    result = segment([bright], tmp_path / "in", tmp_path / "out", PICTURES)
    assert [path.name for path in result.done] == ["a.jpg", "b.png", "c.png"]
    assert result.failures == (
        f"{tmp_path}/in/a.png is skipped: {tmp_path}/out/a.png is a picture of "
        f"{tmp_path}/in/a.jpg; rename one of them.",
        f"{tmp_path}/in/b_overlay.png is skipped: {tmp_path}/out/b_overlay.png is a picture of "
        f"{tmp_path}/in/b.png; rename one of them.",
    )
    assert result.left_out == 0
    written = np.asarray(Image.open(tmp_path / "out" / "b.png"))
    np.testing.assert_array_equal(written, bright(pixels["b.png"][np.newaxis])[0])


def test_files_that_would_be_lost(tmp_path):
    make_images(tmp_path / "one", "a.png")
    with pytest.raises(ValueError, match=r"one/a\.png would be overwritten by its own pictures"):
        find_image_files(tmp_path / "one", tmp_path / "one", PICTURES.kinds)


def test_files_of_other_formats_are_named(tmp_path, caplog):
    make_images(tmp_path / "in", "a.png", "B.JPG")
    for name in ("notes.txt", "b.heic", "d.pdf", "c.mp4", ".hidden"):
        (tmp_path / "in" / name).touch()
    (tmp_path / "in" / "folder").mkdir()
    with caplog.at_level(logging.WARNING, "absl"):
        files = find_image_files(tmp_path / "in", tmp_path / "out", PICTURES.kinds)
    assert [path.name for path in files.paths] == ["B.JPG", "a.png"]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{tmp_path}/in has 4 files of other formats, which are ignored: b.heic, c.mp4, d.pdf and "
        "1 more."
    )
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").touch()
    with pytest.raises(
        DataError, match=r"text has no images\. It has 1 file of other .*: notes\.t"
    ):
        find_image_files(tmp_path / "text", tmp_path / "out", PICTURES.kinds)


def test_nothing_to_segment(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    for images, message in {
        "empty": r"^empty has no images\.$",
        "*.jpg": r"^No file matches \*\.jpg\.$",
        "missing.png": r"^The file missing\.png does not exist\.$",
        "0": r"^The file 0 does not exist\. For the camera of that number, give camera:0\.$",
        "/dev/null": r"^/dev/null is not a file; give an image, a folder, a video, or camera:0\.$",
    }.items():
        with pytest.raises(DataError, match=message):
            find_image_files(images, tmp_path / "out", PICTURES.kinds)
