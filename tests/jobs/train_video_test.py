"""Training of a small network of video object segmentation on generated sequences."""

import csv
import dataclasses
import pathlib
import shutil

import numpy as np
import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.files import read_json
from keras_fasterseg.jobs import train_video as pipeline
from keras_fasterseg.jobs.train_video import check_scored, open_videos, train_video
from keras_fasterseg.run.object_networks import load_object_network
from keras_fasterseg.settings.video import VideoDataSettings, VideoTrainSettings
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.video_objects.davis import VOID, Davis, write_mask
from keras_fasterseg.video_objects.scores import VideoScores, score_sequence
from tests.small_genotype import GENOTYPE
from tests.video_objects.lively_network import SIZE

SETTINGS = VideoTrainSettings(
    epochs=3,
    steps_per_epoch=2,
    batch_size=2,
    input_size=SIZE,
    max_objects=4,
    trained_objects=3,
    evaluate_every=1,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    settings = VideoDataSettings(
        generated_train=2, generated_val=1, generated_frames=3, generated_size=SIZE
    )
    videos = open_videos(settings, tmp_path_factory.mktemp("videos"), 0)
    return VideoDataSettings(data_dir=str(videos.root))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    return train_video(tmp_path_factory.mktemp("run"), data, SETTINGS, GENOTYPE)


def weights(path):
    return load_object_network(path).get_weights()


def test_writes_the_network_with_the_best_score(trained):
    network = load_object_network(trained)
    assert (network.genotype, network.input_size, network.max_objects) == (GENOTYPE, SIZE, 4)
    with open(trained.parent / "log.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert {"loss", "centers_loss", "identities_loss", "val_j_and_f"} <= set(rows[0])
    best = read_json(trained.parent / "evaluation.json")["j_and_f"]
    assert best == pytest.approx(max(float(row["val_j_and_f"]) for row in rows))
    assert any((trained.parent / "tensorboard").rglob("*tfevents*"))


def test_resumes_bit_by_bit(trained, data, tmp_path, monkeypatch):
    original, calls = pipeline.follow_split, []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(pipeline, "follow_split", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_video(tmp_path, data, SETTINGS, GENOTYPE)
    resumed = train_video(tmp_path, data, SETTINGS, GENOTYPE)
    assert len(calls) == 4
    for received, expected in zip(weights(resumed), weights(trained), strict=True):
        np.testing.assert_array_equal(received, expected)
    logs = [(path.parent / "log.csv").read_text("utf-8") for path in (resumed, trained)]
    assert logs[0] == logs[1]


def test_a_finished_training_is_not_repeated_with_other_settings(trained, data):
    run = trained.parent.parent
    assert train_video(run, data, SETTINGS, GENOTYPE) == trained
    changed = dataclasses.replace(SETTINGS, learning_rate=1e-4)
    with pytest.raises(ValueError, match=r"--learning_rate was 0\.001, is 0\.0001"):
        train_video(run, data, changed, GENOTYPE)


def test_the_encoder_inherits_a_trained_network(data, tmp_path, monkeypatch):
    segmentation = FasterSegNetwork(GENOTYPE, 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    segmentation.save(tmp_path / "network.keras")
    truth = np.zeros((3, *SIZE), np.uint8)
    truth[:, 5:20, 5:20] = 1
    scores = VideoScores({"a": score_sequence([*truth], [*truth])})
    monkeypatch.setattr(pipeline, "follow_split", lambda *arguments: scores)
    # A learning rate of almost zero changes nothing but the statistics.
    settings = dataclasses.replace(
        SETTINGS,
        epochs=1,
        steps_per_epoch=1,
        learning_rate=1e-12,
        weight_decay=0.0,
        initial_weights=str(tmp_path / "network.keras"),
    )
    network = load_object_network(train_video(tmp_path / "run", data, settings))
    assert (network.mean, network.std) == (segmentation.mean, segmentation.std)
    inherited = {each.path: each for each in network.encoder.trainable_weights}
    sources = {each.path: each for each in segmentation.trainable_weights}
    assert len(inherited) > 10
    for path, weight in inherited.items():
        np.testing.assert_allclose(weight, sources[path], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scales": (1.3, 1.0)}, "scales must be the smallest and the largest scale"),
        ({"input_size": (64, 100)}, "a multiple of 32"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"initial_weights": "missing.keras"}, "does not exist"),
    ],
)
def test_wrong_settings_end_early(change, words, data, tmp_path):
    genotype = None if "initial_weights" in change else GENOTYPE
    error = FileNotFoundError if genotype is None else ValueError
    with pytest.raises(error, match=words):
        train_video(tmp_path / "run", data, dataclasses.replace(SETTINGS, **change), genotype)
    assert not (tmp_path / "run").exists()


def test_an_encoder_is_needed(data, tmp_path):
    with pytest.raises(ValueError, match="The encoder is unknown"):
        train_video(tmp_path, data, SETTINGS)


def test_generated_videos_are_kept_in_the_workdir(tmp_path):
    settings = VideoDataSettings(
        generated_train=1, generated_val=1, generated_frames=3, generated_size=(64, 64)
    )
    first = open_videos(settings, tmp_path, 0)
    assert first.root == pathlib.Path(tmp_path) / "videos"
    assert open_videos(settings, tmp_path, 0).files("val") == first.files("val")


def test_backgrounds_need_images(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="has no images for backgrounds"):
        open_videos(VideoDataSettings(val_backgrounds=str(tmp_path / "none")), tmp_path, 0)
    assert not (tmp_path / "videos").exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no mask", "3 frames and 2 masks"),
        ("another size", "has another size than the first mask"),
        ("no object", "shows no object"),
    ],
)
def test_a_split_without_a_score_is_refused(fault, words, data, tmp_path):
    shutil.copytree(data.data_dir, tmp_path / "davis")
    davis = Davis(tmp_path / "davis")
    check_scored(davis, "val")
    masks = davis.sequences("val")[0].masks
    if fault == "no mask":
        masks[1].unlink()
    elif fault == "another size":
        write_mask(masks[2], np.ones((5, 7), np.uint8))
    else:
        write_mask(masks[0], np.full(SIZE, VOID, np.uint8))
    with pytest.raises(DataError, match=words):
        check_scored(davis, "val")
