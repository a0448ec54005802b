import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.benchmark.images import benchmark_images


def test_images_are_random_bytes_that_stay_the_same():
    images = benchmark_images((64, 96), batch_size=2)
    assert images.shape == (2, 64, 96, 3)
    assert images.dtype == np.uint8
    assert len(np.unique(images)) == 256
    np.testing.assert_array_equal(images, benchmark_images((64, 96), batch_size=2))


def test_an_image_is_resized_and_repeated(tmp_path):
    # One colour stays that colour whatever the size.
    Image.new("RGB", (40, 30), (10, 20, 30)).save(tmp_path / "image.png")
    images = benchmark_images((32, 64), batch_size=3, image=tmp_path / "image.png")
    assert images.shape == (3, 32, 64, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(np.unique(images.reshape(-1, 3), axis=0), [[10, 20, 30]])


def test_an_image_of_that_size_is_taken_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    np.testing.assert_array_equal(benchmark_images((32, 48), 1, tmp_path / "image.png")[0], pixels)


@pytest.mark.parametrize("size", [(31, 64), (64,)])
def test_wrong_sizes_are_refused(size):
    with pytest.raises(ValueError, match="each at least 32"):
        benchmark_images(size)


def test_missing_broken_and_huge_images_are_refused(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"The image .*gone\.png does not exist"):
        benchmark_images((32, 32), image=tmp_path / "gone.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.png cannot be read as an image"):
        benchmark_images((32, 32), image=tmp_path / "broken.png")
    Image.new("RGB", (40, 30)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 599)
    with pytest.raises(ValueError, match=r"huge\.png cannot be read as an image \(.*1200 pixels"):
        benchmark_images((32, 32), image=tmp_path / "huge.png")
