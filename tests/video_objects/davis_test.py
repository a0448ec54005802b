"""DAVIS 2017 as downloaded: its sequences, its masks, and one sentence for every fault."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.video_objects.davis import PALETTE, VOID, Davis, read_mask, write_mask

SIZE = (6, 8)


@pytest.fixture
def root(tmp_path):
    """Two sequences of three frames; `test-dev` has only the first mask."""
    root = tmp_path / "DAVIS"
    for sequence in ("dog", "cat"):
        frames, masks = (root / kind / "480p" / sequence for kind in ("JPEGImages", "Annotations"))
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for frame in range(3):
            pixels = np.full((*SIZE, 3), 40 * frame, np.uint8)
            Image.fromarray(pixels).save(frames / f"{frame:05d}.jpg", quality=95)
            if sequence == "dog" or frame == 0:
                write_mask(masks / f"{frame:05d}.png", np.full(SIZE, frame, np.uint8))
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("dog\n")
    (lists / "test-dev.txt").write_text("dog\ncat\n")
    return root


def test_sequences_in_the_order_of_the_list(root):
    davis = Davis(root)
    assert davis.root == root
    assert davis.split_names == ("test-dev", "val")
    dog, cat = davis.sequences("test-dev")
    assert (dog.name, cat.name) == ("dog", "cat")
    folder = root / "JPEGImages" / "480p" / "dog"
    assert dog.frames == tuple(folder / f"{frame:05d}.jpg" for frame in range(3))
    assert [path.name for path in dog.masks] == ["00000.png", "00001.png", "00002.png"]
    assert cat.masks == (root / "Annotations" / "480p" / "cat" / "00000.png", None, None)
    assert davis.sequences("val") == (dog,)
    np.testing.assert_array_equal(davis.read_frame(dog.frames[2]), np.full((*SIZE, 3), 80))
    np.testing.assert_array_equal(davis.read_mask(dog.masks[2]), np.full(SIZE, 2))


def test_hidden_and_other_files_are_no_frames(root):
    folder = root / "JPEGImages" / "480p" / "dog"
    for name in (".DS_Store", "._00000.jpg", "Thumbs.db"):
        (folder / name).write_bytes(b"other")
    assert len(Davis(root).sequences("val")[0].frames) == 3


def test_frames_may_be_png(root):
    folder = root / "JPEGImages" / "480p" / "dog"
    (folder / "00001.jpg").unlink()
    Image.new("RGB", SIZE[::-1]).save(folder / "00001.png")
    (folder / "00002.jpg").rename(folder / "00002.JPEG")
    names = [path.name for path in Davis(root).sequences("val")[0].frames]
    assert names == ["00000.jpg", "00001.png", "00002.JPEG"]


def test_another_resolution(root):
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "480p").rename(root / kind / "Full-Resolution")
    assert len(Davis(root, "Full-Resolution").sequences("val")[0].frames) == 3
    with pytest.raises(DataError, match=r"480p does not exist; .*JPEGImages has Full-Resolution"):
        Davis(root)
    with pytest.raises(DataError, match=r"The resolution must be the name .* Received: '\.\.'"):
        Davis(root, "..")


def test_the_palette_is_that_of_pascal_voc():
    assert PALETTE.shape == (256, 3)
    assert PALETTE.dtype == np.uint8
    # Colours 1 to 4 and 255, from PASCAL VOC's development kit.
    expected = {1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128)}
    expected[VOID] = (224, 224, 192)
    assert {index: tuple(PALETTE[index].tolist()) for index in expected} == expected
    assert not PALETTE.flags.writeable


def test_a_mask_is_read_as_it_was_written(tmp_path):
    ids = np.arange(256, dtype=np.uint8).reshape(8, 32)
    write_mask(tmp_path / "mask.png", ids)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), ids)
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), PALETTE[ids])


def test_a_mask_of_few_bits_or_of_grey(tmp_path):
    ids = np.array([[0, 1, 2], [3, 0, 1]], np.uint8)
    image = Image.fromarray(ids)
    image.save(tmp_path / "grey.png")
    image.putpalette(PALETTE.tobytes())
    image.save(tmp_path / "few.png", bits=2, transparency=0)
    for name in ("grey", "few"):
        np.testing.assert_array_equal(read_mask(tmp_path / f"{name}.png"), ids)


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        ("RGB", {}, "is stored as 8-bit RGB PNG, but it must hold one id per pixel"),
        ("1", {}, "is stored as 1-bit grey PNG"),
        ("I;16", {}, "is stored as 16-bit grey PNG"),
        ("LA", {}, "is stored as 8-bit grey and alpha PNG"),
        ("L", {"format": "JPEG"}, "is stored as 8-bit grey JPEG"),
        ("P", {"exif": b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}, "EXIF"),
    ],
)
def test_other_masks_are_refused(tmp_path, mode, options, expected):
    path = tmp_path / "mask.png"
    Image.new(mode, SIZE[::-1]).save(path, **options)
    with pytest.raises(DataError, match=expected):
        read_mask(path)


@pytest.mark.parametrize("kind", ["frame", "mask"])
def test_sizes_are_checked_before_decoding(root, kind):
    davis = Davis(root, max_megapixels=0)
    (dog,) = davis.sequences("val")
    with pytest.raises(DataError, match=r"6 x 8, 0\.0 megapixels, and the limit is 0"):
        davis.read_frame(dog.frames[0]) if kind == "frame" else davis.read_mask(dog.masks[0])


@pytest.mark.parametrize(
    "ids",
    [np.zeros((2, 3), np.int64), np.zeros((2, 3, 1), np.uint8), np.zeros((0, 3), np.uint8)],
)
def test_other_ids_are_not_written(tmp_path, ids):
    with pytest.raises(ValueError, match=r"must be uint8 of shape .* Received"):
        write_mask(tmp_path / "mask.png", ids)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["../cat", "..", ".", "/etc", "a/b", "a\\b", ".hidden", "a\tb", "a\0b", "a" * 256, "", "  "],
)
def test_names_that_are_not_folders_are_refused(root, name):
    (root / "ImageSets" / "2017" / "val.txt").write_bytes(f"dog\n{name}\ncat\n".encode())
    with pytest.raises(DataError, match=r"Line 2 of .*val\.txt must be the name of a folder"):
        Davis(root).sequences("val")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "lists no sequence"),
        (b"\n \n", "lists no sequence"),
        (b"dog\ncat\ndog\n", r"val\.txt lists dog twice"),
        (b"\xff\xfe", r"val\.txt is not UTF-8 text"),
        (b"cow\n", "480p/cow does not exist; .*480p has cat, dog"),
    ],
)
def test_faulty_lists(root, content, expected):
    (root / "ImageSets" / "2017" / "val.txt").write_bytes(content)
    with pytest.raises(DataError, match=expected):
        Davis(root).sequences("val")


def test_lists_of_other_programs_are_read(root):
    (root / "ImageSets" / "2017" / "val.txt").write_bytes(b"\xef\xbb\xbfdog\r\ncat \r\n\r\n")
    assert [each.name for each in Davis(root).sequences("val")] == ["dog", "cat"]


def test_what_is_missing_is_named(root, tmp_path):
    with pytest.raises(DataError, match="has no split 'train'; choose one of test-dev, val"):
        Davis(root).sequences("train")
    with pytest.raises(DataError, match="gone does not exist; choose the folder of DAVIS"):
        Davis(tmp_path / "gone")
    with pytest.raises(DataError, match="ImageSets/2017 does not exist"):
        Davis(root / "JPEGImages")
    for path in (root / "ImageSets" / "2017").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"2017 has no list of sequences; it needs a file"):
        Davis(root)


def test_faulty_sequences(root):
    frames, masks = (root / kind / "480p" / "dog" for kind in ("JPEGImages", "Annotations"))
    davis = Davis(root)
    write_mask(masks / "00009.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(DataError, match=r"00009\.png has no frame of the same name in .*dog"):
        davis.sequences("val")
    (masks / "00009.png").unlink()
    Image.new("RGB", SIZE[::-1]).save(frames / "00001.png")
    with pytest.raises(DataError, match=r"00001\.jpg and .*00001\.png belong to the same frame"):
        davis.sequences("val")
    (frames / "00001.png").unlink()
    (frames / "00003.jpg").mkdir()
    with pytest.raises(DataError, match=r"00003\.jpg is not a file"):
        davis.sequences("val")
    (frames / "00003.jpg").rmdir()
    for path in frames.iterdir():
        path.unlink()
    with pytest.raises(DataError, match="dog has no frame; it needs images such as"):
        davis.sequences("val")
    masks.rename(masks.with_name("cow"))
    (frames / "00000.jpg").touch()
    with pytest.raises(DataError, match="Annotations/480p/dog does not exist"):
        davis.sequences("val")


@pytest.mark.parametrize(
    "part",
    [
        "JPEGImages/480p",
        "Annotations/480p/dog",
        "JPEGImages/480p/dog",
        "JPEGImages/480p/dog/00001.jpg",
        "Annotations/480p/dog/00001.png",
        "ImageSets/2017/val.txt",
    ],
)
def test_links_that_lead_out_are_refused(root, tmp_path, part):
    (root / part).rename(tmp_path / "elsewhere")
    (root / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"{part} is a link to .*elsewhere, outside .*DAVIS"):
        Davis(root).sequences("val")


def test_links_inside_are_followed_and_broken_ones_refused(root, tmp_path):
    linked = tmp_path / "link"
    linked.symlink_to(root)
    frame = root / "JPEGImages" / "480p" / "dog" / "00001.jpg"
    frame.unlink()
    frame.symlink_to("00000.jpg")
    (dog,) = Davis(linked).sequences("val")
    np.testing.assert_array_equal(Davis(linked).read_frame(dog.frames[1]), np.zeros((*SIZE, 3)))
    frame.unlink()
    frame.symlink_to("gone.jpg")
    with pytest.raises(DataError, match=r"00001\.jpg is not a file"):
        Davis(linked).sequences("val")
    frame.unlink()
    frame.symlink_to(frame.name)
    with pytest.raises(DataError, match=r"00001\.jpg"):
        Davis(linked).sequences("val")


def test_a_pipe_is_refused_rather_than_waited_for(root):
    frame = root / "JPEGImages" / "480p" / "dog" / "00001.jpg"
    frame.unlink()
    os.mkfifo(frame)
    with pytest.raises(DataError, match=r"00001\.jpg is not a file"):
        Davis(root).sequences("val")
