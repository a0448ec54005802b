"""The folder of masks and overlays, and what may be replaced in it."""

import fractions

import numpy as np
import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.files import read_json
from keras_fasterseg.inference.video_reader import Frame
from keras_fasterseg.jobs.tracked_videos import RECORD, TrackedVideos, Video, overlay
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.settings.video import TrackSettings
from keras_fasterseg.video_objects.davis import PALETTE, read_mask
from keras_fasterseg.video_objects.object_runner import ObjectRunner
from keras_fasterseg.video_objects.proposals import Proposals

SIZE = (32, 48)
MASKS_ONLY = TrackSettings(overlays=False)


class OneObject(ObjectRunner):
    """A runner that finds one rectangle in every frame."""

    network_size = SIZE

    def infer(self, images):
        raise NotImplementedError

    def __call__(self, frame):
        masks = np.zeros((1, *frame.shape[:2]), np.float32)
        masks[0, 4:20, 8:30] = 0.9
        one = np.ones((1, 1), np.float32)
        return Proposals(np.array([0.9], np.float32), masks, one, one[None])

    def describe(self):
        return {"runtime": "made up"}


def video(name="street", count=3, size=SIZE, is_live=False, error=None):
    def frames():
        for number in range(count):
            yield f"{number:05}", Frame(np.full((*size, 3), 100, np.uint8), number)
        if error is not None:
            raise error

    rate = fractions.Fraction(24)
    return Video(name, frames(), rate, 1 / rate, is_live=is_live)


def write(folder, source, settings=MASKS_ONLY, overwrite=False):
    results = TrackedVideos(folder, overwrite)
    results.check([source.name], [])
    with progress_bar(None, "test", unit="frame", show=False) as bar:
        return results.write(OneObject(), source, settings, bar)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_masks_overlays_and_their_record(tmp_path):
    write(tmp_path, video(), TrackSettings())
    masks = [f"street/{number:05}.png" for number in range(3)]
    assert files(tmp_path) == ["street", "street.mp4", *masks, RECORD]
    ids = read_mask(tmp_path / masks[2])
    assert ids[4:20, 8:30].min() == ids.max() == 1
    assert ids.sum() == 16 * 22
    record = read_json(tmp_path / RECORD)
    assert record == {"videos": {"street": {"frames": 3, "runner": {"runtime": "made up"}}}}


def test_own_results_are_replaced_only_if_asked(tmp_path):
    write(tmp_path, video(), TrackSettings())
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        write(tmp_path, video())
    write(tmp_path, video(count=1), overwrite=True)
    # The overlays of the earlier masks are gone.
    assert files(tmp_path) == ["street", "street/00000.png", RECORD]
    write(tmp_path, video("other", 1))
    assert [*read_json(tmp_path / RECORD)["videos"]] == ["street", "other"]


@pytest.mark.parametrize("name", ["street", "street.mp4"])
def test_foreign_files_are_never_replaced(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(FileExistsError, match=r"was not written by tools\.track"):
        write(tmp_path, video(), overwrite=True)


@pytest.mark.parametrize("source", ["street", "street/mine.png", "street.mp4", "."])
def test_inputs_are_never_replaced(source, tmp_path):
    write(tmp_path, video(), TrackSettings())
    with pytest.raises(ValueError, match="would be replaced by results"):
        TrackedVideos(tmp_path, overwrite=True).check(["street"], [tmp_path / source])


def test_inputs_beside_the_results_are_no_problem(tmp_path):
    TrackedVideos(tmp_path, overwrite=False).check(["street"], [tmp_path / "street.avi"])


def test_two_videos_need_two_targets(tmp_path):
    with pytest.raises(ValueError, match="would hold the results of two videos"):
        TrackedVideos(tmp_path, overwrite=False).check(["a", "a.mp4"], [])


def test_a_foreign_record(tmp_path):
    (tmp_path / RECORD).write_text("[]", "utf-8")
    with pytest.raises(ValueError, match=r"was not written by tools\.track"):
        TrackedVideos(tmp_path, overwrite=True)


def test_an_interrupted_camera_keeps_its_frames(tmp_path):
    write(tmp_path, video(is_live=True, error=KeyboardInterrupt()), TrackSettings())
    assert len(files(tmp_path / "street")) == 3
    assert read_json(tmp_path / RECORD)["videos"]["street"]["frames"] == 3


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (video(error=KeyboardInterrupt()), KeyboardInterrupt),
        (video(count=0, is_live=True, error=KeyboardInterrupt()), KeyboardInterrupt),
        (video(error=OSError("disk full")), OSError),
        (video(count=0), DataError),
    ],
    ids=["interrupted file", "camera without a frame", "full disk", "empty"],
)
def test_nothing_is_left_of_a_failure(source, error, tmp_path):
    with pytest.raises(error):
        write(tmp_path, source, TrackSettings())
    assert files(tmp_path) == []


def test_overlays_change_objects_only():
    frame = np.full((4, 6, 3), 100, np.uint8)
    ids = np.zeros((4, 6), np.uint8)
    ids[1, 2] = 1
    shown = overlay(frame, ids, 0.5)
    assert (shown[ids == 0] == 100).all()
    # Pillow rounds the blend to whole levels.
    np.testing.assert_allclose(shown[1, 2], (100 + PALETTE[1].astype(float)) / 2, atol=1)
