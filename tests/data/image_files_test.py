import io
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data import image_files
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import (
    read_image,
    read_label,
    read_sample,
    read_size,
)
from keras_fasterseg.data.source import MAX_MEGAPIXELS

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (6, 8, 3), np.uint8)
LABEL = RNG.integers(0, 12, (6, 8), np.uint8)


def test_reads_pixels_and_maps_ids(make_camvid):
    source = make_camvid([(IMAGE, LABEL)])
    (sample,) = source.samples("train")

    image, label = read_sample(sample, source)

    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(label, np.where(LABEL == 11, 255, LABEL))
    np.testing.assert_array_equal(read_label(sample.label, source), label)
    np.testing.assert_array_equal(read_image(sample.image), IMAGE)
    assert read_size(sample.image) == (6, 8)


def test_every_kind_of_image_is_read_as_rgb(tmp_path):
    grey, path = LABEL, tmp_path / "image.png"
    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(read_image(path), np.stack([grey] * 3, axis=-1))
    Image.fromarray(np.dstack([IMAGE, grey])).save(path)
    np.testing.assert_array_equal(read_image(path), IMAGE)
    path.write_bytes(path.read_bytes()[:80])
    with pytest.raises(DataError, match=r"image\.png is damaged or cannot be read"):
        read_image(path)


def stored(path, pixels, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **options)


# How a scene is stored, by the tag that says where its top and left lie (EXIF 2.3, section 4.6.4).
STORED = {
    1: lambda scene: scene,
    2: lambda scene: scene[:, ::-1],
    3: lambda scene: scene[::-1, ::-1],
    4: lambda scene: scene[::-1],
    5: lambda scene: scene.transpose(1, 0, 2),
    6: lambda scene: scene.transpose(1, 0, 2)[::-1],
    7: lambda scene: scene.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda scene: scene.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("orientation", STORED)
def test_images_are_read_upright_and_not_trained_on_turned(make_camvid, orientation):
    source = make_camvid([(IMAGE, LABEL)])
    (sample,) = source.samples("train")
    turned = np.ascontiguousarray(STORED[orientation](IMAGE))
    stored(sample.image, turned, orientation)

    np.testing.assert_array_equal(read_image(sample.image), IMAGE)
    if orientation == 1:
        np.testing.assert_array_equal(read_sample(sample, source)[0], IMAGE)
    else:
        _assert_names(
            source, sample, sample.image, "rotated or mirrored by its EXIF.*its label may"
        )


def test_a_jpeg_is_read_upright(tmp_path):
    """As phones write them: a scene that is bright above."""
    scene = np.zeros((32, 16, 3), np.uint8)
    scene[:16] = 255
    stored(tmp_path / "a.jpg", np.ascontiguousarray(STORED[6](scene)), 6, quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - scene).max() < 16


def test_exif_that_is_damaged_turns_nothing(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.png", exif=b"Exif\x00\x00no TIFF at all")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), IMAGE)


def test_a_palette_is_read_as_its_colours_and_transparency_is_dropped(tmp_path):
    path = tmp_path / "image.png"
    indices = LABEL % 3
    colors = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(colors.tobytes())
    image.save(path, transparency=1)
    np.testing.assert_array_equal(read_image(path), colors[indices])
    Image.fromarray(np.dstack([LABEL, LABEL]), "LA").save(path)
    np.testing.assert_array_equal(read_image(path), np.stack([LABEL] * 3, axis=-1))


def test_palette_label_gives_its_indices(make_camvid):
    source = make_camvid([(IMAGE, LABEL)])
    (sample,) = source.samples("train")
    coloured = Image.fromarray(LABEL)
    coloured.putpalette(list(range(255, -1, -1)) * 3)
    coloured.save(sample.label)

    _, label = read_sample(sample, source)

    np.testing.assert_array_equal(label, np.where(LABEL == 11, 255, LABEL))


def test_downsample_keeps_constant_blocks(make_camvid):
    """Blocks of 4 x 4 equal pixels: any filter of the interior gives the block's value back."""
    blocks = RNG.integers(0, 11, (3, 5), np.uint8)
    label = np.kron(blocks, np.ones((4, 4), np.uint8))
    flat = np.full((12, 20, 3), 77, np.uint8)
    source = make_camvid([(flat, label)])

    image, smaller = read_sample(source.samples("train")[0], source, downsample=2)

    np.testing.assert_array_equal(smaller, np.kron(blocks, np.ones((2, 2), np.uint8)))
    np.testing.assert_array_equal(image, np.full((6, 10, 3), 77))


def test_downsample_beyond_the_image_is_refused(make_camvid):
    source = make_camvid([(IMAGE, LABEL)])

    for downsample in (0, 7):
        with pytest.raises(ValueError, match=f"Received: {downsample} for .*000.png of 6 x 8"):
            read_sample(source.samples("train")[0], source, downsample=downsample)


def _sample(make_camvid, image=IMAGE, label=LABEL):
    source = make_camvid([(image, label)])
    return source, source.samples("train")[0]


def _assert_names(source, sample, path, words):
    with pytest.raises(DataError, match=f"{re.escape(str(path))}.*{words}") as caught:
        read_sample(sample, source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["image", "label"])
def test_truncated_file_is_named(make_camvid, kind):
    source, sample = _sample(make_camvid)
    path = getattr(sample, kind)
    path.write_bytes(path.read_bytes()[:60])

    _assert_names(source, sample, path, "damaged or cannot be read")


@pytest.mark.parametrize("kind", ["image", "label"])
def test_file_that_is_no_image_is_named(make_camvid, kind):
    source, sample = _sample(make_camvid)
    getattr(sample, kind).write_bytes(b"no image at all")

    _assert_names(source, sample, getattr(sample, kind), "not an image")


@pytest.mark.parametrize("kind", ["image", "label"])
def test_missing_file_is_named(make_camvid, kind):
    source, sample = _sample(make_camvid)
    getattr(sample, kind).unlink()

    with pytest.raises(
        DataError, match=f"file {re.escape(str(getattr(sample, kind)))} does not exist"
    ):
        read_sample(sample, source)


def test_label_of_another_size_is_named(make_camvid):
    source, sample = _sample(make_camvid, label=LABEL[:, :5])

    _assert_names(source, sample, sample.label, "6 x 5.*000.png is 6 x 8")


def test_id_out_of_range_is_named_with_its_value(make_camvid):
    label = LABEL.copy()
    label[2, 3] = 12
    source, sample = _sample(make_camvid, label=label)

    _assert_names(source, sample, sample.label, r"the id 12, which camvid does not have.*0-11")


def test_coloured_label_where_ids_are_expected_is_named(make_camvid):
    source, sample = _sample(make_camvid, label=IMAGE)

    words = "8-bit RGB PNG, but labels of camvid hold ids; store ids in one channel"
    _assert_names(source, sample, sample.label, words)


def test_a_large_image_is_read_without_a_word_of_pillow(tmp_path, recwarn):
    """Pillow warns from 89 megapixels on, and refuses from 179 on."""
    path = tmp_path / "a.png"
    Image.new("L", (15000, 12000), 7).save(path, compress_level=1)
    limit = Image.MAX_IMAGE_PIXELS
    assert read_size(path) == (12000, 15000)
    image = read_image(path)
    assert image.shape == (12000, 15000, 3)
    assert (image[0, 0].tolist(), image[-1, -1].tolist()) == ([7] * 3, [7] * 3)
    assert not list(recwarn)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_disk_is_not_waited_for_while_others_are_locked_out(tmp_path, monkeypatch):
    locked = []

    class Watched(io.FileIO):
        def readinto(self, buffer):
            locked.append(image_files._LIMIT_OF_PILLOW.locked())
            return super().readinto(buffer)

    monkeypatch.setattr(
        image_files, "open", lambda path, _: io.BufferedReader(Watched(path)), raising=False
    )
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    assert read_size(tmp_path / "a.png") == IMAGE.shape[:2]
    assert locked
    assert not any(locked)


def test_the_limit_of_megapixels(make_camvid, tmp_path):
    image = np.zeros((1000, 1001, 3), np.uint8)
    source = make_camvid([(image, image[..., 0])])
    (sample,) = source.samples("train")
    assert source.max_megapixels == MAX_MEGAPIXELS
    assert read_sample(sample, source)[0].shape == image.shape
    source.max_megapixels = 1
    words = (
        "is 1000 x 1001, 1.0 megapixels, and the limit is 1; cut it into tiles, or raise max_meg"
    )
    _assert_names(source, sample, sample.image, words)
    with pytest.raises(DataError, match=words):
        read_label(sample.label, source)
    with pytest.raises(DataError, match=words):
        read_image(sample.image, 1)


def test_a_bomb_is_not_unpacked(tmp_path):
    """A header of 4 gigapixels, with no pixel behind it."""
    path = tmp_path / "a.png"
    Image.new("L", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=r"is 60000 x 60000, 3,600\.0 megapixels, and the limit is 250"
    ):
        read_image(path)
