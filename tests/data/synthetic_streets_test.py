import hashlib

import numpy as np
import pytest
from cityscapesscripts.helpers.labels import id2label, name2label
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.data.label_statistics import constant_predictor_miou, label_histogram
from keras_fasterseg.data.streets.canvas import IDS, Camera, Canvas, Chance, board
from keras_fasterseg.data.synthetic_streets import MARKER, SyntheticStreets, generate

INSTANCE_CLASSES = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")


def _hashes(root):
    files = (path for path in sorted(root.rglob("*.png")))
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_every_class_appears_in_forty_images(streets):
    histogram = label_histogram(streets.samples("train"), streets)

    assert len(streets.samples("train")) == 40
    assert dict(zip(streets.class_names, histogram > 0, strict=True)) == dict.fromkeys(
        streets.class_names, True
    )
    # The mIoU of saying "road" everywhere must leave room for learning.
    assert constant_predictor_miou(histogram) < 0.04


def test_some_pixels_are_void_and_sizes_are_as_asked(streets):
    labels = []
    for sample in streets.samples("train"):
        image, label = read_sample(sample, streets)
        assert image.shape == (64, 128, 3)
        labels.append(label)

    assert 0 < np.mean(np.stack(labels) == 255) < 0.1


def test_raw_ids_agree_with_train_ids(streets):
    for sample in streets.samples("val"):
        raw = np.asarray(Image.open(str(sample.label).replace("labelTrainIds", "labelIds")))
        expected = [id2label[raw_id].trainId for raw_id in raw.ravel()]
        np.testing.assert_array_equal(np.asarray(Image.open(sample.label)).ravel(), expected)


def test_instance_ids_agree_with_raw_ids(streets):
    instances = {name: set() for name in INSTANCE_CLASSES}
    for sample in streets.samples("train"):
        raw = np.asarray(Image.open(str(sample.label).replace("labelTrainIds", "labelIds")))
        file = Image.open(str(sample.label).replace("labelTrainIds", "instanceIds"))
        assert file.mode == "I;16"
        found = np.asarray(file).astype(int)
        of_instances = found >= 1000
        np.testing.assert_array_equal(np.where(of_instances, found // 1000, found), raw)
        for name, ids in instances.items():
            of_class = raw == name2label[name].id
            assert of_instances[of_class].all()
            ids.update((sample.image.name, number) for number in np.unique(found[of_class]))
    # Two that the same image shows are two.
    images = {name: {image for image, _ in ids} for name, ids in instances.items()}
    for name in ("car", "person"):
        assert len(instances[name]) > 1.5 * len(images[name])
    assert all(instances.values())


@pytest.fixture
def canvas():
    """64 x 32 pixels, at 10 m one a metre, with the ground at the lower edge."""
    camera = Camera(64, 32, focal=10.0, center=0.0, horizon=16.0, above_ground=16.0)
    chance = Chance(np.random.default_rng(0))
    canvas = Canvas(camera, chance, np.zeros((32, 64, 3), np.uint8), (200, 200, 200), 100.0)
    canvas.move_to(0, 10)
    return canvas


def test_the_nearer_of_two_cars_hides_the_other(canvas):
    canvas.surface(board(10, 29, 13, 22), "car", (9, 9, 9))
    canvas.thing = 7
    canvas.surface(board(20, 39, 8, 17), "car", (9, 9, 9))
    canvas.bar([(0, 2), (63, 2)], 1, "road", (9, 9, 9))
    instances = np.asarray(canvas.instance_ids)
    assert (instances[15:25, 20:40] == 26007).all()
    # Of 20 x 10 pixels each, 10 x 5 are shared.
    assert np.count_nonzero(instances == 26000) == 150
    assert np.count_nonzero(instances == 26007) == 200
    assert set(instances[30]) == {IDS["road"]}


@pytest.mark.parametrize(("ahead", "size"), [(10, 8), (20, 4), (40, 2)])
def test_things_are_smaller_and_hazier_in_the_distance(canvas, ahead, size):
    canvas.move_to(0, ahead)
    canvas.surface(board(0, 8 - 0.1 * ahead, 8, 16 - 0.1 * ahead), "bus", (0, 0, 0))
    found = np.asarray(canvas.instance_ids) != IDS["sky"]
    assert found.any(axis=0).sum() == found.any(axis=1).sum() == size
    haze = int(200 * (1 - np.exp(-ahead / 100)))
    assert (np.asarray(canvas.image)[found] == haze).all()


def test_colour_alone_does_not_give_the_class_away(streets):
    """The best guess from a pixel's colour (in 512 bins, on the training pixels themselves)."""
    joint = np.zeros((512, 19))
    for sample in streets.samples("train"):
        image, label = read_sample(sample, streets)
        bins = (image // 32).astype(int) @ (64, 8, 1)
        known = label != 255
        np.add.at(joint, (bins[known], label[known]), 1)

    assert joint.max(axis=1).sum() / joint.sum() < 0.75


def test_same_seed_gives_the_same_files(tmp_path):
    size = {"height": 32, "width": 64, "progress": False}
    generate(tmp_path / "a", num_train=3, num_val=1, seed=5, **size)
    generate(tmp_path / "b", num_train=3, num_val=1, seed=5, **size)
    generate(tmp_path / "more", num_train=5, num_val=2, seed=5, **size)
    generate(tmp_path / "other", num_train=3, num_val=1, seed=6, **size)

    first = _hashes(tmp_path / "a")
    assert len(first) == 16
    assert _hashes(tmp_path / "b") == first
    assert first.items() <= _hashes(tmp_path / "more").items()
    other = _hashes(tmp_path / "other")
    assert all(other[name] != first[name] for name in first if "leftImg8bit" in name)
    assert len(set(first.values())) == len(first)


def test_second_call_does_nothing(tmp_path):
    parameters = {"num_train": 1, "num_val": 1, "height": 32, "width": 64, "progress": False}
    source = generate(tmp_path, **parameters)
    (sample,) = source.samples("train")
    sample.image.write_bytes(b"left alone")

    generate(tmp_path, **parameters)

    assert sample.image.read_bytes() == b"left alone"
    with pytest.raises(DataError, match=r"'seed': 0\}, not with .*'seed': 1\}; choose another"):
        generate(tmp_path, **parameters, seed=1)


def test_unfinished_data_set_is_refused_and_made_again(tmp_path):
    parameters = {"num_train": 2, "num_val": 1, "height": 32, "width": 64, "progress": False}
    generate(tmp_path, **{**parameters, "num_train": 3})
    (tmp_path / MARKER).unlink()

    with pytest.raises(DataError, match="does not contain a complete synthetic data set"):
        SyntheticStreets(tmp_path)
    assert len(generate(tmp_path, **parameters).samples("train")) == 2


def test_too_small_is_refused(tmp_path):
    with pytest.raises(ValueError, match="num_val=0"):
        generate(tmp_path, num_train=1, num_val=0)
    with pytest.raises(ValueError, match="height=31"):
        generate(tmp_path, num_train=1, num_val=1, height=31)
