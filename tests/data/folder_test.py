import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.data.image_files import read_sample
from tests.data.own_files import (
    CAMVID_FILE,
    assert_same_arrays,
    copy_pair,
    write_pair,
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "dataset.yaml").write_text("name: yard\nclasses: [ground, lane]\n")
    return tmp_path


def names(samples, root):
    return [
        (str(sample.image.relative_to(root)), str(sample.label.relative_to(root)))
        for sample in samples
    ]


def test_camvid_in_folders_is_camvid(tmp_path, camvid):
    (tmp_path / "dataset.yaml").write_text(CAMVID_FILE)
    samples = camvid.samples("train")[:2]
    for sample in samples:
        image = tmp_path / "images" / "train" / sample.image.name
        copy_pair(sample, image, tmp_path / "labels" / "train" / sample.label.name)
    assert_same_arrays(Folder(tmp_path), "train", camvid)


def test_camvid_with_lists_is_camvid(tmp_path, camvid):
    (tmp_path / "dataset.yaml").write_text(CAMVID_FILE)
    samples = camvid.samples("train")[:2]
    for sample in samples:
        image = tmp_path / "images" / sample.image.name
        copy_pair(sample, image, tmp_path / "labels" / sample.label.name)
    (tmp_path / "splits").mkdir()
    stems = [sample.image.stem for sample in samples]
    (tmp_path / "splits" / "val.txt").write_text("\n".join(reversed(stems)))
    assert_same_arrays(Folder(tmp_path), "val", camvid)


def test_folders_of_splits_with_folders_inside(root):
    for split, image in (
        *(("train", "ulm/b.jpg"), ("train", "a.PNG"), ("train", "c.left.jpeg")),
        *(("val", "aachen/old/b.png"), ("val", ".hidden/e.png"), ("val", ".e.png")),
    ):
        stem = image.rpartition(".")[0]
        write_pair(root / "images" / split / image, root / "labels" / split / f"{stem}.png")
    (root / "images" / "notes.txt").write_text("no split")
    (root / "images" / ".cache").mkdir()

    source = Folder(root)

    assert source.split_names == ("train", "val")
    assert source.name == "yard"
    assert names(source.samples("train"), root) == [
        ("images/train/a.PNG", "labels/train/a.png"),
        ("images/train/ulm/b.jpg", "labels/train/ulm/b.png"),
        ("images/train/c.left.jpeg", "labels/train/c.left.png"),
    ]
    assert names(source.samples("val"), root) == [
        ("images/val/aachen/old/b.png", "labels/val/aachen/old/b.png")
    ]


def test_linked_folders_are_followed(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("disk")
    write_pair(elsewhere / "a.png", root / "labels" / "train" / "ulm" / "a.png")
    (root / "images" / "train").mkdir(parents=True)
    (root / "images" / "train" / "ulm").symlink_to(elsewhere)
    assert names(Folder(root).samples("train"), root) == [
        ("images/train/ulm/a.png", "labels/train/ulm/a.png")
    ]


def test_lists(root):
    for name in ("a", "b", "ulm/c"):
        write_pair(root / "images" / f"{name}.png", root / "labels" / f"{name}.png")
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("ulm/c\nb.png\n")
    (root / "splits" / "test.txt").write_text("a\n")

    source = Folder(root)

    assert source.split_names == ("test", "train")
    assert names(source.samples("train"), root) == [
        ("images/b.png", "labels/b.png"),
        ("images/ulm/c.png", "labels/ulm/c.png"),
    ]
    assert names(source.samples("test"), root) == [("images/a.png", "labels/a.png")]


def test_coloured_labels_and_labels_with_a_palette(root):
    """The colour is what counts where labels are colours, and the index where they are ids."""
    shown = Image.fromarray(np.array([[2, 5]], np.uint8))
    shown.putpalette([*(0, 0, 0), *(9, 9, 9), *(50, 60, 70), *(0,) * 6, *(10, 20, 30)])
    image, label = root / "images" / "train" / "a.png", root / "labels" / "train" / "a.png"
    write_pair(image, label, np.zeros((1, 2), np.uint8))
    shown.save(label)
    for text, expected in (
        ("classes: [{name: a, ids: 5}, {name: b, ids: 2}]", [[1, 0]]),
        (
            "labels: colors\nclasses: [{name: a, color: [1, 1, 1]}, "
            "{name: b, color: [2, 2, 2], label_colors: [[10, 20, 30]]}]\n"
            "ignore_colors: [50, 60, 70]",
            [[255, 1]],
        ),
    ):
        (root / "dataset.yaml").write_text(text)
        source = Folder(root)
        _, train_ids = read_sample(source.samples("train")[0], source)
        np.testing.assert_array_equal(train_ids, expected)


def test_two_images_of_one_stem_are_both_named(root):
    for name in ("a.jpg", "a.png"):
        write_pair(root / "images" / "train" / "ulm" / name, None)
    with pytest.raises(DataError, match=r"ulm/a\.jpg and .*ulm/a\.png would have the same label"):
        Folder(root).pairs("train")


def test_an_image_without_label_is_named_and_can_be_listed(root):
    write_pair(root / "images" / "test" / "a.jpg", None)
    source = Folder(root)
    with pytest.raises(DataError, match=r"test/a\.jpg has no label: .*labels/test/a\.png"):
        source.samples("test")
    assert [pair.image.name for pair in source.pairs("test")] == ["a.jpg"]


def test_a_listed_image_that_is_not_there(root):
    write_pair(root / "images" / "a.png", root / "labels" / "a.png")
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("a\n../a\n")
    with pytest.raises(DataError, match=r"splits/train\.txt lists \.\./a, but there is no such"):
        Folder(root).samples("train")


@pytest.mark.parametrize("made", [(), ("images",), ("images/train", "splits")])
def test_no_split(root, made):
    for name in made:
        (root / name).mkdir(parents=True)
    with pytest.raises(DataError, match=rf"{root} has no split: expected images in .*SPLIT\.txt"):
        Folder(root)


def test_lists_without_images(root):
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("a\n")
    with pytest.raises(DataError, match=rf"folder {root}/images does not exist"):
        Folder(root).samples("train")


def test_without_a_file_of_classes(tmp_path):
    (tmp_path / "images" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"The file .*dataset\.yaml does not exist"):
        Folder(tmp_path)


def test_there_is_no_folder(tmp_path):
    with pytest.raises(
        DataError, match=r"folder .*gone does not exist. Choose the folder .* \(folder\)"
    ):
        Folder(tmp_path / "gone")


def test_labels_without_an_image(root):
    for split, stem in (("train", "a"), ("train", "ulm/b"), ("val", "c")):
        write_pair(root / "images" / split / f"{stem}.jpg", root / "labels" / split / f"{stem}.png")
    (root / "images/train/ulm/b.jpg").unlink()
    (root / "images/val/c.jpg").rename(root / "images/val/d.jpg")
    source = Folder(root)
    assert source.orphan_labels("train") == (root / "labels/train/ulm/b.png",)
    assert source.orphan_labels("train+val") == (
        root / "labels/train/ulm/b.png",
        root / "labels/val/c.png",
    )


def test_other_formats_and_cases(root):
    for image, label in (("a.BMP", "a.PNG"), ("b.tif", "b.TIFF"), ("c.WebP", "c.bmp")):
        write_pair(root / "images" / "train" / image, root / "labels" / "train" / label)
    source = Folder(root)
    assert names(source.samples("train"), root) == [
        ("images/train/a.BMP", "labels/train/a.PNG"),
        ("images/train/b.tif", "labels/train/b.TIFF"),
        ("images/train/c.WebP", "labels/train/c.bmp"),
    ]
    for sample in source.samples("train"):
        np.testing.assert_array_equal(read_sample(sample, source)[1], [[0, 1], [1, 0]])


def test_the_png_is_the_label_where_a_preview_lies_beside(root):
    write_pair(root / "images" / "train" / "a.jpg", root / "labels" / "train" / "a.png")
    write_pair(root / "labels" / "train" / "a.jpg", None)
    write_pair(root / "images" / "train" / "ulm/a.jpg", root / "labels" / "train" / "ulm/a.png")
    write_pair(root / "labels" / "train" / "ulm/a.tif", root / "labels" / "train" / "b.tif")
    source = Folder(root)
    labels = [sample.label.relative_to(root).as_posix() for sample in source.samples("train")]
    assert labels == ["labels/train/a.png", "labels/train/ulm/a.png"]
    # It has an image, and is not an orphan.
    others = ("labels/train/a.jpg", "labels/train/ulm/a.tif")
    assert source.passed_over("train") == tuple(root / name for name in others)
    assert source.orphan_labels("train") == (root / "labels/train/b.tif",)


def test_a_label_with_loss_is_named_as_such(root):
    write_pair(root / "images" / "train" / "a.jpg", root / "labels" / "train" / "a.jpeg")
    source = Folder(root)
    with pytest.raises(DataError, match=r"a\.jpeg is stored as 8-bit grey JPEG, which is lossy"):
        read_sample(source.samples("train")[0], source)


def test_files_that_are_not_taken(root):
    write_pair(root / "images" / "train" / "a.png", root / "labels" / "train" / "a.png")
    write_pair(root / "images" / "b.png", None)
    (root / "images" / "val").mkdir()
    for name in (
        "images/train/c.avif",
        "labels/train/c.npy",
        "images/val/d.heic",
        "images/train/e",
    ):
        (root / name).write_bytes(b"")
    source = Folder(root)
    found = ["images/b.png", "images/train/c.avif", "labels/train/c.npy"]
    assert [path.relative_to(root).as_posix() for path in source.passed_over("train")] == found
    with pytest.raises(
        DataError, match=r"no images in its split 'val', only unsupported files such as"
    ):
        source.pairs("val")
