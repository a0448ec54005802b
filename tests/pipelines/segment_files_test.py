import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.pipelines.segment_files import segment_files
from keras_fasterseg.serving.errors import ServingError, TransientServingError
from tests.stand_in import random_images

PALETTE = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)


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


def test_a_folder(tmp_path):
    pixels = make_images(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "in" / "notes.txt").touch()
    result = segment_files(bright, tmp_path / "in", tmp_path / "out", PALETTE, opacity=1.0)
    assert result.label_maps == (tmp_path / "out" / "a.png", tmp_path / "out" / "b.png")
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


def test_a_file_without_overlay(tmp_path):
    make_images(tmp_path, "a.jpg")
    result = segment_files(bright, tmp_path / "a.jpg", tmp_path / "out", PALETTE, opacity=0)
    assert result.label_maps == (tmp_path / "out" / "a.png",)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_faulty_image_does_not_stop_the_others(tmp_path):
    make_images(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    (tmp_path / "in" / "a.png").write_bytes(b"no image")

    def refuses_second(images):
        if images.shape[2] == 41:
            raise ServingError("the server refuses it")
        return bright(images)

    result = segment_files(refuses_second, tmp_path / "in", tmp_path / "out", PALETTE)
    assert [path.name for path in result.label_maps] == ["c.png", "d.png"]
    first, second = result.failures
    assert first == f"{tmp_path}/in/a.png is not an image that can be read; replace the file."
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

    result = segment_files(goes, tmp_path / "in", tmp_path / "out", PALETTE)
    assert len(asked) == 2
    assert [path.name for path in result.label_maps] == ["a.png"]
    assert result.failures == (f"{tmp_path}/in/b.png: gone",)
    assert result.left_out == 1


def refuse(_):
    pytest.fail("asked in vain")


def test_files_that_would_be_lost(tmp_path):
    make_images(tmp_path / "in", "a.png", "a.jpg")
    with pytest.raises(ValueError, match=r"Two images would be written to .*out/a\.png"):
        segment_files(refuse, tmp_path / "in", tmp_path / "out", PALETTE)
    make_images(tmp_path / "two", "a.png", "a_overlay.png")
    with pytest.raises(ValueError, match=r"Two images would be written to .*out/a_overlay\.png"):
        segment_files(refuse, tmp_path / "two", tmp_path / "out", PALETTE)
    make_images(tmp_path / "one", "a.png")
    with pytest.raises(ValueError, match=r"one/a\.png would be overwritten by what is made of it"):
        segment_files(refuse, tmp_path / "one", tmp_path / "one", PALETTE)


def test_nothing_to_segment(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no images"):
        segment_files(refuse, tmp_path / "empty", tmp_path / "out", PALETTE)
    result = segment_files(refuse, tmp_path / "missing.png", tmp_path / "out", PALETTE)
    assert result.failures == (f"There is no file {tmp_path}/missing.png.",)
