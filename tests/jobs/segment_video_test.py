"""From frames to a video of overlays; reading and writing have tests of their own."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.inference.video_reader import Frame, VideoReader
from keras_fasterseg.jobs.segment_video import segment_video
from keras_fasterseg.visualization.segmentation_pictures import SegmentationPictures
from tests.videos import FLAT_ATOL, decoded, numbered_frames, write_lossless, write_video

PALETTE = np.array([[0, 0, 200], [200, 0, 0]], np.uint8)
COLORS = SegmentationPictures(PALETTE, opacity=1.0, class_names=("dark", "bright"))


@pytest.fixture(autouse=True)
def av():
    return pytest.importorskip("av")


def bright(images):
    return (images[..., 0] > 127).astype(np.uint8)


def dark(images):
    return 1 - bright(images)


class Camera:
    """Frames without end, until someone has had enough."""

    name, is_live, frame_count, faults = "camera:0", True, None, ()
    frame_rate, time_base = Fraction(25), Fraction(1, 25)

    def __init__(self, interrupted_after=None):
        self.interrupted_after = interrupted_after

    def __iter__(self):
        number = 0
        while number != self.interrupted_after:
            yield Frame(numbered_frames(1)[0], number)
            number += 1
        raise KeyboardInterrupt


def test_a_video_of_overlays_is_as_long_as_its_source(tmp_path):
    source = write_lossless(tmp_path / "a.mov", numbered_frames(50), 30)
    with VideoReader(str(source)) as reader:
        result = segment_video([bright], reader, tmp_path / "out" / "a.mp4", COLORS)
    assert (result.path, result.frames, result.failures) == (tmp_path / "out" / "a.mp4", 50, ())
    received, times, facts = decoded(result.path)
    assert facts["rate"] == 30
    assert facts["seconds"] == Fraction(50, 30)
    assert times == [Fraction(number, 30) for number in range(50)]
    for number, pixels in enumerate(received):
        # From frame 32 on the upper half is bright, too.
        upper = PALETTE[int(4 * number > 127)]
        np.testing.assert_allclose(pixels[4:16].astype(int) - upper, 0, atol=FLAT_ATOL)
        np.testing.assert_allclose(pixels[32:44].astype(int) - PALETTE[1], 0, atol=FLAT_ATOL)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mp4"]


def test_joined_streams_are_as_long_as_their_parts(tmp_path):
    """The second part begins at its own time, and has another size: 64x32, shown as 48x24."""
    parts = [
        write_video(tmp_path / "1.ts", numbered_frames(10), codec="libx264", format="mpegts"),
        write_video(
            tmp_path / "2.ts", numbered_frames(10, 64, 32), codec="libx264", format="mpegts"
        ),
    ]
    source = tmp_path / "a.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    with VideoReader(str(source)) as reader:
        result = segment_video([bright], reader, tmp_path / "a.mp4", COLORS)
    assert (result.frames, result.failures) == (20, ())
    received, times, facts = decoded(result.path)
    assert times == [Fraction(number, 25) for number in range(20)]
    assert facts["seconds"] == Fraction(20, 25)
    for number, pixels in enumerate(received):
        assert pixels.shape == (48, 64, 3)
        upper, lower, margin = (pixels[8, 32], pixels[40, 32], pixels[24, 8])
        expected = [*PALETTE, np.zeros(3) if number >= 10 else None]
        for value, color in zip((upper, lower, margin), expected, strict=True):
            if color is not None:
                np.testing.assert_allclose(value.astype(int) - color, 0, atol=FLAT_ATOL)


def test_label_maps_of_frames_are_written_if_asked_for(tmp_path):
    source = write_lossless(tmp_path / "a.mov", numbered_frames(50)[::10])
    with VideoReader(str(source)) as reader:
        segment_video(
            [bright], reader, tmp_path / "a.mp4", COLORS, label_maps=tmp_path / "maps", max_frames=4
        )
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == [f"00000{number}.png" for number in range(4)]
    for number, name in enumerate(names):
        written = Image.open(tmp_path / "maps" / name)
        assert written.getpalette()[:6] == PALETTE.ravel().tolist()
        expected = np.repeat([int(40 * number > 127), 1], 24)
        np.testing.assert_array_equal(np.asarray(written), np.tile(expected[:, None], (1, 64)))
    assert len(decoded(tmp_path / "a.mp4")[0]) == 4
    with VideoReader(str(source)) as reader, pytest.raises(FileExistsError, match="maps exists"):
        segment_video([bright], reader, tmp_path / "a.mp4", COLORS, label_maps=tmp_path / "maps")


def test_two_networks_stand_side_by_side_below_their_names(tmp_path):
    source = write_lossless(tmp_path / "a.mov", numbered_frames(3, 96, 128))
    pictures = SegmentationPictures(PALETTE, opacity=1.0, titles=("first", "second"))
    with VideoReader(str(source)) as reader:
        segment_video([bright, dark], reader, tmp_path / "a.mp4", pictures)
    (pixels, *_), _, _ = decoded(tmp_path / "a.mp4")
    height, width, _ = pixels.shape
    assert width == 2 * 128 + 4
    assert height > 96
    lower = pixels[height - 40 : height - 8].astype(int)
    np.testing.assert_allclose(lower[:, 8:120] - PALETTE[1], 0, atol=FLAT_ATOL)
    np.testing.assert_allclose(lower[:, -120:-8] - PALETTE[0], 0, atol=FLAT_ATOL)
    # The titles: ink on paper.
    assert pixels[: height - 96, :128].min() < 100
    assert pixels[: height - 96, -128:].min() < 100
    assert pixels[0].min() > 200


def test_a_legend_has_all_classes_in_every_frame(tmp_path):
    source = write_lossless(tmp_path / "a.mov", numbered_frames(2, 96, 128))
    pictures = SegmentationPictures(
        PALETTE, opacity=1.0, class_names=("dark", "bright"), legend=True
    )
    with VideoReader(str(source)) as reader:
        # Class 0 does not occur.
        segment_video([lambda images: bright(images) | 1], reader, tmp_path / "a.mp4", pictures)
    (pixels, *_), _, _ = decoded(tmp_path / "a.mp4")
    below = pixels[100:].astype(int)
    for color in PALETTE:
        assert (np.abs(below - color).max(axis=-1) < 40).sum() > 30


def test_a_camera_ends_when_it_is_interrupted_or_has_enough(tmp_path):
    result = segment_video([bright], Camera(interrupted_after=12), tmp_path / "a.mp4", COLORS)
    assert result.frames == 12
    assert len(decoded(tmp_path / "a.mp4")[0]) == 12
    result = segment_video([bright], Camera(), tmp_path / "b.mp4", COLORS, max_frames=5)
    assert result.frames == 5
    with pytest.raises(KeyboardInterrupt):
        segment_video([bright], Camera(interrupted_after=0), tmp_path / "c.mp4", COLORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path, error):
    source = write_lossless(tmp_path / "a.mov", numbered_frames(5))
    calls = []

    def stops(images):
        calls.append(images)
        if len(calls) == 3:
            raise error
        return bright(images)

    (tmp_path / "a.mp4").write_text("what was there", encoding="utf-8")
    with VideoReader(str(source)) as reader, pytest.raises(error):
        segment_video([stops], reader, tmp_path / "a.mp4", COLORS, label_maps=tmp_path / "maps")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mov", "a.mp4"]
    assert (tmp_path / "a.mp4").read_text(encoding="utf-8") == "what was there"


def test_a_source_without_frames(tmp_path):
    source = write_lossless(tmp_path / "a.mov", numbered_frames(2))
    source.write_bytes(source.read_bytes().replace(b"\x89PNG\r\n\x1a\n", b"no image"))
    with (
        VideoReader(str(source)) as reader,
        pytest.raises(DataError, match=r"a\.mov has no frame that can be read; replace the file"),
    ):
        segment_video([bright], reader, tmp_path / "a.mp4", COLORS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mov"]
