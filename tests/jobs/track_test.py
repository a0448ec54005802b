"""Objects of real and generated videos, followed by a small untrained network."""

import itertools

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.inference.video_reader import VideoReader
from keras_fasterseg.jobs.track import track, track_split
from keras_fasterseg.settings.video import TrackSettings
from keras_fasterseg.video_objects.davis import read_mask, write_mask
from keras_fasterseg.video_objects.generated_sequences import GeneratedSequences, generate
from keras_fasterseg.video_objects.object_runner import (
    FollowedVideo,
    KerasObjectRunner,
    ObjectRunner,
)
from tests.video_objects.lively_network import SIZE, lively_network
from tests.videos import decoded, write_video

FRAMES = 6


@pytest.fixture(scope="module")
def runner():
    return KerasObjectRunner(lively_network())


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.keras"
    lively_network().save(path)
    return path


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    settings = GeneratedSequences(num_train=1, num_val=2, frames=3, size=SIZE)
    return generate(tmp_path_factory.mktemp("data") / "davis", settings, progress=False)


@pytest.fixture(scope="module")
def street(tmp_path_factory, camvid):
    """A video of consecutive frames of CamVid."""
    samples = camvid.samples("val")[:FRAMES]
    frames = [
        np.asarray(Image.open(sample.image).convert("RGB").resize((160, 120))) for sample in samples
    ]
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    return write_video(path, frames, format="mp4", codec="libx264")


def frames_of(video):
    with VideoReader(str(video)) as reader:
        return [frame.pixels for frame in reader]


class ShuffledRunner(ObjectRunner):
    """Another runner's proposals in random order."""

    def __init__(self, runner):
        self.network_size = runner.network_size
        self._runner = runner
        self._random = np.random.default_rng(1)

    def infer(self, images):
        outputs = dict(self._runner.infer(images))
        order = self._random.permutation(outputs["scores"].shape[1])
        for name in ("scores", "boxes", "masks", "embeddings"):
            outputs[name] = outputs[name][:, order]
        return outputs

    def describe(self):
        return self._runner.describe()


@pytest.mark.parametrize("given", [False, True], ids=["everything", "first mask"])
class TestRealVideo:
    """No part of the loop may look ahead, and the order of proposals carries no information."""

    def first_mask(self, given, runner, frames):
        return next(iter(FollowedVideo(runner, frames))) if given else None

    def test_ids_do_not_depend_on_later_frames(self, given, runner, street):
        frames = frames_of(street)
        mask = self.first_mask(given, runner, frames)
        ids = list(FollowedVideo(runner, frames, mask))
        assert len(np.unique(ids[-1])) > 2
        noise = np.random.default_rng(0).integers(0, 256, (3, *frames[0].shape), np.uint8)
        for count in range(1, FRAMES):
            others = list(FollowedVideo(runner, [*frames[:count], *noise], mask))
            np.testing.assert_array_equal(others[:count], ids[:count])

    def test_a_frame_is_answered_before_the_next_is_read(self, given, runner, street):
        frames = frames_of(street)
        mask = self.first_mask(given, runner, frames)
        numbers = itertools.count(1)
        read = []

        def source():
            for frame in frames:
                read.append(next(numbers))
                yield frame

        for count, _ in enumerate(FollowedVideo(runner, source(), mask), 1):
            assert read[-1] == count

    def test_ids_do_not_depend_on_the_order_of_proposals(self, given, runner, street):
        frames = frames_of(street)
        mask = self.first_mask(given, runner, frames)
        expected = list(FollowedVideo(runner, frames, mask))
        received = list(FollowedVideo(ShuffledRunner(runner), frames, mask))
        np.testing.assert_array_equal(received, expected)


def test_a_video_becomes_masks_and_overlays(artefact, street, tmp_path):
    tracking = track(artefact, str(street), tmp_path, progress=False)
    names = sorted(path.name for path in (tmp_path / "street").iterdir())
    assert names == [f"{number:05}.png" for number in range(FRAMES)]
    assert (tracking.frames, tracking.videos, tracking.failures) == (FRAMES, 1, ())
    assert len(tracking.network_seconds) == len(tracking.tracker_seconds) == FRAMES - 1
    ids = read_mask(tmp_path / "street" / "00003.png")
    assert ids.shape == (120, 160)
    assert ids.any()
    shown, _, _ = decoded(tmp_path / "street.mp4")
    assert len(shown) == FRAMES
    assert "frames, without each first one" in tracking.text()


def test_a_folder_keeps_the_names_of_its_frames(artefact, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 70, 90, 3), np.uint8)
    for name, each in zip(("a7", "b1"), pixels, strict=True):
        Image.fromarray(each).save(folder / f"{name}.png")
    mask = np.zeros((70, 90), np.uint8)
    mask[10:40, 20:60] = 3
    write_mask(tmp_path / "first.png", mask)
    settings = TrackSettings(overlays=False)
    track(
        artefact,
        str(folder),
        tmp_path / "out",
        settings,
        first_mask=tmp_path / "first.png",
        progress=False,
    )
    written = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*"))
    expected = ["frames", "frames/a7.png", "frames/b1.png", "track.json"]
    assert [str(path) for path in written] == expected
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "frames" / "a7.png"), mask)
    assert set(np.unique(read_mask(tmp_path / "out" / "frames" / "b1.png"))) <= {0, 3}


def test_all_sequences_of_a_split_start_with_their_masks(artefact, davis, tmp_path):
    tracking = track_split(artefact, davis, "val", tmp_path, progress=False)
    assert (tracking.videos, tracking.frames) == (2, 6)
    for sequence in davis.sequences("val"):
        first = read_mask(tmp_path / sequence.name / "00000.png")
        np.testing.assert_array_equal(first, davis.read_mask(sequence.masks[0]))
        assert (tmp_path / f"{sequence.name}.mp4").is_file()
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        track_split(artefact, davis, "val", tmp_path, progress=False)


def test_nothing_is_left_of_a_video_that_fails(artefact, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (90, 70)).save(folder / "0.png")
    Image.new("RGB", (70, 90)).save(folder / "1.png")
    with pytest.raises(DataError, match="Frame 1 of frames is 90x70, but the first one is 70x90"):
        track(artefact, str(folder), tmp_path / "out", progress=False)
    assert not list((tmp_path / "out").rglob("*"))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="has no images"):
        track(artefact, str(tmp_path / "none"), tmp_path / "out", progress=False)


def test_two_images_of_one_name_are_refused(artefact, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("0.png", "0.jpg"):
        Image.new("RGB", (90, 70)).save(folder / name)
    with pytest.raises(DataError, match="has two images named 0"):
        track(artefact, str(folder), tmp_path / "out", progress=False)
