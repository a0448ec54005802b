import dataclasses
import itertools
import pathlib
import re

import numpy as np
import pytest
from absl import logging
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.pipeline_settings import TrainingPipeline
from keras_fasterseg.data.registry import SOURCES
from keras_fasterseg.data.search_parts import search_parts
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.run.datasets import (
    JoinedBatches,
    batch_options,
    bilevel_batches,
    check_source,
    estimation_batches,
    evaluation_images,
    evenly_spaced,
    open_source,
    ranking_batches,
    shown_images,
    training_batches,
)
from keras_fasterseg.settings.search import PretrainSettings
from keras_fasterseg.settings.stages import DataSettings
from tests.data.encoded_files import png
from tests.faulty_camvid import LABEL, write_good

SETTINGS = DataSettings(synthetic_train_images=6, synthetic_val_images=2, synthetic_size=(80, 96))
PIPELINE = TrainingPipeline(2, (64, 96))


def first(batches, count):
    return list(itertools.islice(batches, count))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def source(workdir):
    return open_source(SETTINGS, workdir, seed=0, progress=False)


def test_every_setting_of_augmentation_arrives():
    settings = PretrainSettings(scales=(1.0, 2.0), shift=3, color_jitter=0.25, downsample=2)
    found = batch_options(settings, DataSettings(), seed=5)["settings"]
    assert (found.scales, found.shift, found.color_jitter) == ((1.0, 2.0), 3, 0.25)
    assert (found.downsample, found.seed) == (2, 5)


def test_synthetic_streets_are_generated_below_the_workdir_once(source, workdir):
    assert source.root == workdir / "data"
    assert len(source.samples("train")) == 6
    before = source.samples("train")[0].image.stat().st_mtime_ns
    again = open_source(SETTINGS, workdir, seed=0, progress=False)
    assert again.samples("train")[0].image.stat().st_mtime_ns == before


def test_a_folder_that_is_given_is_read(source, tmp_path):
    given = dataclasses.replace(SETTINGS, data_dir=str(source.root))
    assert open_source(given, tmp_path, seed=5).samples("val") == source.samples("val")
    assert not list(tmp_path.iterdir())


def test_the_help_names_every_data_set():
    (field,) = (each for each in dataclasses.fields(DataSettings) if each.name == "dataset")
    for name in SOURCES:
        assert re.search(rf"\b{name}\b", field.metadata["description"]), name


@pytest.mark.parametrize("dataset", ["camvid", "cityscapes", "folder"])
def test_a_real_data_set_needs_its_folder(tmp_path, dataset):
    with pytest.raises(ValueError, match=f"'{dataset}' needs its folder; set --data_dir"):
        open_source(DataSettings(dataset=dataset), tmp_path, seed=0)


def test_check_source_names_a_broken_file(tmp_path):
    source = generate(tmp_path, num_train=1, num_val=1, height=32, width=32, progress=False)
    check_source(source, SETTINGS, progress=False)
    broken = source.samples("val")[0].image
    broken.write_bytes(b"no image")
    with pytest.raises(DataError, match=broken.name):
        check_source(source, SETTINGS, progress=False)


def test_check_source_warns_of_images_in_both_splits(tmp_path, monkeypatch):
    write_good(tmp_path)
    (tmp_path / "val" / "d.png").write_bytes((tmp_path / "train" / "a.png").read_bytes())
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    check_source(CamVid(tmp_path), SETTINGS, progress=False)
    assert [sentence[:32] for sentence in said] == ["1 image in more than one split ("]


def test_labels_that_do_not_go_together_are_neither_trained_nor_scored_on(tmp_path):
    write_good(tmp_path)
    ids = np.where(LABEL == 11, 0, LABEL)
    for stem, colors in (("d", [9, 8, 7]), ("e", [7, 8, 9])):
        path = tmp_path / "valannot" / f"{stem}.png"
        path.write_bytes(png(ids, 3, 8, np.outer(range(4), colors)))
    source = CamVid(tmp_path)
    with pytest.raises(DataError, match="palettes of labels differ"):
        check_source(source, SETTINGS, progress=False)
    with pytest.raises(DataError, match="palettes of labels differ"):
        evaluation_images(source, "val")


def test_the_limit_of_megapixels_is_the_sources(source, tmp_path):
    given = dataclasses.replace(SETTINGS, data_dir=str(source.root), max_megapixels=7)
    assert open_source(given, tmp_path, seed=0).max_megapixels == 7


def test_training_batches_have_no_end(source):
    samples = source.samples("train")
    batches = training_batches(source, samples, PIPELINE, None)
    assert batches.steps_per_epoch == 3
    shapes = [(x.shape, y.shape) for x, y in first(batches.from_epoch(0), 7)]
    assert shapes == [((2, 64, 96, 3), (2, 64, 96))] * 7
    fewer = training_batches(source, samples, PIPELINE, 2)
    assert fewer.steps_per_epoch == 2


def test_fewer_images_than_a_batch(source):
    with pytest.raises(ValueError, match="6 images cannot fill a batch of 7"):
        training_batches(source, source.samples("train"), TrainingPipeline(7, (64, 96)), None)


def test_bilevel_halves_are_disjoint(tmp_path):
    # Images of one grey each: a crop says which image it is from.
    for name, value in (("train", 40), ("trainannot", 0)):
        (tmp_path / name).mkdir()
        for index in range(6):
            shape = (64, 96, 3) if name == "train" else (64, 96)
            pixels = np.full(shape, value * index, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    source = CamVid(tmp_path)
    parts = search_parts(source.samples("train"), 0)
    batches = bilevel_batches(source, parts, TrainingPipeline(1, (64, 96)), None)
    assert batches.steps_per_epoch == 2

    def origin(crop):
        red = np.asarray(crop)[0, 32, 48, 0]
        return round(255 * float(red * IMAGENET_STD[0] + IMAGENET_MEAN[0])) // 40

    pairs = [(origin(a), origin(b)) for (a, _), (b, _) in first(batches.from_epoch(0), 6)]
    weights, architecture = (set(half) for half in zip(*pairs, strict=True))
    assert (len(weights), len(architecture)) == (3, 2)
    assert not weights & architecture


def test_a_split_that_is_trained_and_scored_on_is_warned_of(source, caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    check_source(source, DataSettings(train_split="train+val"), progress=False)
    assert "The split val is used for both training and scoring" in caplog.text


def test_a_half_must_fill_a_batch(source):
    with pytest.raises(ValueError, match="1 image cannot fill a batch of 2"):
        training_batches(source, source.samples("train")[:1], PIPELINE, None)
    parts = search_parts(source.samples("train"), 0)
    with pytest.raises(ValueError, match="2 images cannot fill a batch of 3"):
        bilevel_batches(source, parts, TrainingPipeline(3, (64, 96)), None)


def test_evaluation_images_are_whole_and_plain(source):
    images = list(evaluation_images(source, "val"))
    images = [np.asarray(x) for x, _ in images]
    assert [(x.shape, x.dtype.name) for x in images] == [((1, 80, 96, 3), "uint8")] * 2


def test_shown_images_are_spread_over_the_split_and_always_the_same(source):
    shown = shown_images(source, "train")
    whole = list(evaluation_images(source, "train"))
    for (image, label), index in zip(shown, (0, 2, 4), strict=True):
        assert (image.dtype, label.dtype) == (np.uint8, np.uint8)
        np.testing.assert_array_equal(image, whole[index][0][0])
        np.testing.assert_array_equal(label, whole[index][1][0])
    # Two images are all that this split has.
    padded = shown_images(source, "val", size_multiple=32)
    assert [(image.shape, label.shape) for image, label in padded] == [((96, 96, 3), (96, 96))] * 2
    assert (padded[0][1][80:] == 255).all()


@pytest.mark.parametrize(("downsample", "size"), [(1, (96, 96)), (2, (64, 64))])
def test_ranking_images_are_padded_to_multiples_of_32(source, downsample, size):
    batches = list(ranking_batches(source, source.samples("val"), 1, downsample))
    ((images, labels),) = batches
    assert images.shape == (1, *size, 3)
    height, width = 80 // downsample, 96 // downsample
    assert (np.asarray(labels)[:, height:] == 255).all()
    assert (np.asarray(labels)[:, :, width:] == 255).all()


def test_ranking_images_are_spread(source):
    samples = source.samples("train")
    found, whole = (
        np.concatenate([images for images, _ in ranking_batches(source, samples, count, 1)])
        for count in (3, 6)
    )
    assert len(whole) == 6
    np.testing.assert_array_equal(found, whole[::2])


def test_batches_of_one_size_are_joined():
    def batch(value, count, height):
        shape = (count, height, 4)
        return np.full((*shape, 3), value, "float32"), np.full(shape, value)

    given = [batch(0, 2, 4), batch(1, 1, 4), batch(2, 1, 4), batch(3, 1, 8), batch(4, 9, 8)]
    joined = JoinedBatches(given, pixels=3 * 16)
    for _ in range(2):  # it can be iterated repeatedly
        found = [(images.shape, labels[:, 0, 0].tolist()) for images, labels in joined]
        assert found == [
            ((3, 4, 4, 3), [0, 0, 1]),
            ((1, 4, 4, 3), [2]),
            ((1, 8, 4, 3), [3]),
            # A larger batch stays whole.
            ((9, 8, 4, 3), [4] * 9),
        ]
    assert list(JoinedBatches([])) == []


def test_estimation_batches_are_always_the_same(source):
    samples = source.samples("train")
    first, second = (estimation_batches(source, samples, PIPELINE, 1) for _ in range(2))
    assert [images.shape for images, _ in first] == [(30, 64, 96, 3)]
    for (images, labels), (again, labels_again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, labels_again)


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [(101, 4, (0, 25, 50, 75)), (5, 2, (0, 2)), (2, 3, (0, 1)), (0, 3, ())],
)
def test_evenly_spaced(total, count, expected):
    assert evenly_spaced(range(total), count) == expected


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("crop_size", (32, 64), "at least 64 and a multiple of 32. Received: .*=32x64"),
        ("batch_size", 0, "batch_size must be at least 1"),
        ("downsample", 0, "downsample must be at least 1"),
        ("steps_per_epoch", 0, "steps_per_epoch must be at least 1"),
    ],
)
def test_settings_out_of_their_limits_are_refused(name, value, words):
    settings = dataclasses.replace(PretrainSettings(), **{name: value})
    with pytest.raises(ValueError, match=words):
        batch_options(settings, SETTINGS, seed=0)


def test_a_later_epoch_begins_where_the_one_before_ended(source):
    pipeline = TrainingPipeline(1, (64, 64), seed=1)
    batches = training_batches(source, source.samples("train"), pipeline, 3)
    expected = first(batches.from_epoch(0), 8)[6:]
    found = first(batches.from_epoch(2), 2)
    for (image, label), (other_image, other_label) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(image, other_image)
        np.testing.assert_array_equal(label, other_label)
