import sys
from fractions import Fraction

import numpy as np
import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.inference import video_reader
from keras_fasterseg.inference.video_reader import VideoReader, camera_number
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from tests.videos import numbered_frames, turn_clockwise, write_lossless


@pytest.fixture
def av():
    return pytest.importorskip("av")


def read(path):
    with VideoReader(str(path)) as reader:
        frames = list(reader)
        return reader, frames


@pytest.mark.parametrize("rate", [25, 30, Fraction(30000, 1001)])
def test_frames_come_in_order_and_in_time(tmp_path, av, rate):
    expected = numbered_frames(7)
    reader, frames = read(write_lossless(tmp_path / "a.mov", expected, rate))
    assert reader.frame_rate == rate
    assert reader.frame_count == 7
    assert not reader.is_camera
    assert reader.faults == ()
    assert len(frames) == 7
    for number, (frame, pixels) in enumerate(zip(frames, expected, strict=True)):
        np.testing.assert_array_equal(frame.pixels, pixels)
        assert frame.timestamp * reader.time_base == number / Fraction(rate)


def test_frames_of_unequal_duration_keep_their_times(tmp_path, av):
    times = [3, 4, 8, 9, 15]
    path = write_lossless(tmp_path / "a.mov", numbered_frames(5), 10, times)
    reader, frames = read(path)
    received = [frame.timestamp * reader.time_base for frame in frames]
    assert received == [Fraction(time - 3, 10) for time in times]


def test_frames_without_times_have_those_of_the_frame_rate(tmp_path, av):
    expected = numbered_frames(4)
    path = write_lossless(tmp_path / "a.mov", expected, 25)

    class Timeless:
        pts, rotation = None, 0

        def to_ndarray(self, format):
            return expected[0]

    with VideoReader(str(path)) as reader:
        reader._frames = lambda: iter([Timeless()] * 4)
        received = [frame.timestamp * reader.time_base for frame in reader]
    assert received == [Fraction(number, 25) for number in range(4)]


def test_a_video_that_is_turned_is_read_upright(tmp_path, av):
    """A quarter clockwise: what was the left column becomes the top row."""
    (frame,) = numbered_frames(1)
    frame[:, :5, 1] = 200
    path = write_lossless(tmp_path / "a.mov", [frame])
    turn_clockwise(path)
    _, (received,) = read(path)
    assert received.pixels.shape == (64, 48, 3)
    assert received.pixels.flags.c_contiguous
    np.testing.assert_array_equal(received.pixels, np.flip(frame.transpose(1, 0, 2), axis=1))
    assert (received.pixels[:5, :, 1] == 200).all()


def test_damaged_packets_are_passed_over_and_told(tmp_path, av):
    expected = numbered_frames(5)
    path = write_lossless(tmp_path / "a.mov", expected)
    content = bytearray(path.read_bytes())
    signature = b"\x89PNG\r\n\x1a\n"
    third = -1
    for _ in range(3):
        third = content.index(signature, third + 1)
    content[third : third + 8] = b"no image"
    path.write_bytes(content)
    reader, frames = read(path)
    assert [frame.pixels[0, 0, 0] for frame in frames] == [0, 4, 12, 16]
    assert reader.faults == (f"1 damaged packets of {path} were passed over.",)


def test_a_file_whose_end_is_missing_is_told(tmp_path, av):
    """With its index first, as files for the web have it, half a file is read as far as it goes."""
    whole, half = tmp_path / "whole.mp4", tmp_path / "half.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    write_lossless(whole, list(noise), format="mp4", options={"movflags": "faststart"})
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert read(whole)[0].faults == ()
    reader, frames = read(half)
    assert 5 <= len(frames) <= 11
    np.testing.assert_array_equal(frames[4].pixels, noise[4])
    told = reader.faults[-1]
    assert told == f"{half} says that it has 20 frames, and {len(frames)} are in it."


def test_what_is_no_video(tmp_path, av):
    with pytest.raises(DataError, match=r"There is no file .*gone\.mp4\."):
        VideoReader(str(tmp_path / "gone.mp4"))
    text = tmp_path / "text.mp4"
    text.write_text("no video at all", encoding="utf-8")
    with pytest.raises(DataError, match=r"text\.mp4 is not a video that can be read \(.+\); repl"):
        VideoReader(str(text))
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match=r"empty\.mp4 is not a video that can be read"):
        VideoReader(str(tmp_path / "empty.mp4"))
    whole = write_lossless(tmp_path / "whole.mov", numbered_frames(5)).read_bytes()
    # The index, without which nothing can be found, comes last.
    (tmp_path / "cut.mov").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.mov is not a video that can be read"):
        VideoReader(str(tmp_path / "cut.mov"))


def test_sound_without_pictures(tmp_path, av):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(DataError, match=r"sound\.mp4 holds no video"):
        VideoReader(str(path))


def test_names_of_cameras():
    assert camera_number("camera:0") == 0
    assert camera_number("camera:12") == 12
    assert camera_number("camera.mp4") is None
    for wrong in ("camera:", "camera:-1", "camera:front"):
        with pytest.raises(ValueError, match=f"Received: {wrong}"):
            camera_number(wrong)


def test_a_camera_that_is_not_there(tmp_path, av, monkeypatch):
    monkeypatch.setattr(video_reader, "_DEVICES", tmp_path)
    with pytest.raises(DataError, match=r"no camera 0: .*this machine has no camera for Linux"):
        VideoReader("camera:0")
    (tmp_path / "video2").touch()
    with pytest.raises(DataError, match=r"no camera 0: no device .*/video0; there are camera:2\."):
        VideoReader("camera:0")
    with pytest.raises(DataError, match=r"The camera .*/video2 cannot be read \(.+\); see that"):
        VideoReader("camera:2")


def test_without_pyav_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RuntimeNotInstalledError, match=r'pip install "keras_fasterseg\[video\]"'):
        VideoReader("a.mp4")
