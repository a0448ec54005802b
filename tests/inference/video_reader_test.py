import contextlib
import functools
import http.server
import logging
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.inference import video_reader
from keras_fasterseg.inference.video_reader import (
    VideoReader,
    camera_number,
    is_address,
    is_video,
    shown_address,
)
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from tests.videos import FLAT_ATOL, numbered_frames, set_matrix, write_lossless, write_video


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
    assert not reader.is_live
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
        pts, rotation, side_data = None, 0, ()

        def to_ndarray(self, format):
            return expected[0]

    with VideoReader(str(path)) as reader:
        reader._frames = lambda: iter([Timeless()] * 4)
        received = [frame.timestamp * reader.time_base for frame in reader]
    assert received == [Fraction(number, 25) for number in range(4)]


# The matrix (a, b, c, d) shows the pixel (x, y) at (a x + c y, b x + d y), with y downwards.
ORIENTATIONS = {
    "upright": ((1, 0, 0, 1), lambda pixels: pixels),
    "a quarter clockwise": ((0, 1, -1, 0), lambda pixels: np.rot90(pixels, -1)),
    "upside down": ((-1, 0, 0, -1), lambda pixels: np.rot90(pixels, 2)),
    "a quarter counterclockwise": ((0, -1, 1, 0), lambda pixels: np.rot90(pixels)),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "flipped": ((1, 0, 0, -1), np.flipud),
    "mirrored at the diagonal": ((0, 1, 1, 0), lambda pixels: pixels.transpose(1, 0, 2)),
    "mirrored at the other diagonal": (
        (0, -1, -1, 0),
        lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    ),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize(("codec", "atol"), [("png", 0), ("libx264", FLAT_ATOL)])
def test_a_video_that_is_turned_is_read_upright(tmp_path, av, name, codec, atol):
    """Four quarters of different colours, as phones store them with a matrix for players."""
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :32, 0] = frame[24:, 32:, 1] = frame[24:, :32, 2] = 200
    path = write_video(tmp_path / "a.mov", [frame] * 3, codec=codec)
    matrix, shown = ORIENTATIONS[name]
    set_matrix(path, matrix)
    _, frames = read(path)
    expected = shown(frame)
    assert len(frames) == 3
    for received in frames:
        assert received.pixels.shape == expected.shape
        assert received.pixels.flags.c_contiguous
        # The middle of each quarter: at their edges the encoder blurs.
        middles = np.ix_(*(np.array([1, 3]) * side // 4 for side in expected.shape[:2]))
        difference = received.pixels[middles].astype(int) - expected[middles]
        np.testing.assert_allclose(difference, 0, atol=atol)


def test_joined_streams_lose_no_frame(tmp_path, av, caplog):
    """`cat first.ts second.ts`: the time stamps begin anew, and the first one's are not 0."""
    frames = numbered_frames(50)[::5]
    parts = [
        write_video(tmp_path / f"{number}.ts", part, codec="libx264", format="mpegts")
        for number, part in enumerate((frames[:6], frames[6:], frames[:3]))
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with caplog.at_level(logging.WARNING, "absl"):
        reader, received = read(path)
    expected = [*frames, *frames[:3]]
    assert len(received) == len(expected)
    for number, (frame, pixels) in enumerate(zip(received, expected, strict=True)):
        assert frame.timestamp * reader.time_base == Fraction(number, 25)
        difference = frame.pixels[8:16].astype(int) - pixels[8:16]
        np.testing.assert_allclose(difference, 0, atol=FLAT_ATOL)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"The time stamps of {path} jump at frame 6, as in joined streams; the video continues "
        "without a gap."
    )


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
    assert reader.faults == (f"1 damaged packets of {path} were skipped.",)


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
    assert told == f"{half} should have 20 frames, but only {len(frames)} were read."


def test_what_is_no_video(tmp_path, av):
    with pytest.raises(DataError, match=r"The file .*gone\.mp4 does not exist\."):
        VideoReader(str(tmp_path / "gone.mp4"))
    text = tmp_path / "text.mp4"
    text.write_text("no video at all", encoding="utf-8")
    with pytest.raises(DataError, match=r"text\.mp4 is not a readable video \(.+\); replace"):
        VideoReader(str(text))
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match=r"empty\.mp4 is not a readable video"):
        VideoReader(str(tmp_path / "empty.mp4"))
    whole = write_lossless(tmp_path / "whole.mov", numbered_frames(5)).read_bytes()
    # The index, without which nothing can be found, comes last.
    (tmp_path / "cut.mov").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.mov is not a readable video"):
        VideoReader(str(tmp_path / "cut.mov"))


def test_sound_without_pictures(tmp_path, av):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(DataError, match=r"sound\.mp4 has no video stream"):
        VideoReader(str(path))


def test_names_of_cameras():
    assert camera_number("camera:0") == 0
    assert camera_number("camera:12") == 12
    assert camera_number("/dev/video3") == 3
    assert camera_number("camera.mp4") is None
    assert camera_number("0") is None
    for wrong in ("camera:", "camera:-1", "camera:front"):
        with pytest.raises(ValueError, match=f"Received: {wrong}"):
            camera_number(wrong)


def test_names_of_addresses():
    assert is_address("rtsp://user:password@camera.local:554/stream1")
    assert is_address("HTTP://127.0.0.1/a.mp4")
    assert not is_address("C:/videos/a.mp4")
    assert not is_address("camera:0")
    with pytest.raises(ValueError, match=r"begin with http://, .*Received: ftp://host/a\.mp4"):
        is_address("ftp://host/a.mp4")
    names = ("camera:0", "/dev/video0", "a.MP4", "rtsp://host/x", "0", "a.png", "/dev/null")
    assert [is_video(name) for name in names] == [True] * 4 + [False] * 3


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://cam/?user=admin&password=x", "rtsp://cam/"),
        ("rtsp://admin:x@cam.local:554/live/1?token=x#x", "rtsp://cam.local:554/live/1"),
        ("https://x@host/a.m3u8?sig=x", "https://host/a.m3u8"),
        ("srt://host:9000?passphrase=x", "srt://host:9000"),
        ("rtsp://admin:x@y@[fe80::1]:554/live", "rtsp://[fe80::1]:554/live"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        # A password that is not quoted.
        ("rtsp://admin:x/y@cam/live", "rtsp://..."),
        ("rtsp://admin:x?y@cam/live", "rtsp://..."),
        ("rtsp://admin:x@[cam/live", "rtsp://..."),
        ("rtsp://admin:x\u2100@cam/live", "rtsp://..."),
        ("file:///a.mp4", "file:///a.mp4"),
    ],
)
def test_addresses_are_shown_without_secrets(source, shown):
    assert shown_address(source) == shown


def test_a_refused_address_is_shown_without_secrets(av):
    for call in (is_address, is_video, VideoReader):
        with pytest.raises(ValueError, match=r"Received: ftp://host/a\.mp4$"):
            call("ftp://admin:secret@host/a.mp4?token=secret")
    with pytest.raises(DataError, match="cannot be read") as caught:
        VideoReader("rtsp://admin:secret/1@127.0.0.1:9/live?token=secret")
    assert "secret" not in str(caught.value)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder):
    """Host and port of a server of the files in `folder`."""
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_an_address_is_read_as_a_file(tmp_path, av):
    write_lossless(tmp_path / "a.mov", numbered_frames(7))
    with serving(tmp_path) as host:
        reader, frames = read(f"http://name:secret@{host}/a.mov?token=secret")
        with pytest.raises(DataError) as caught:
            VideoReader(f"http://name:secret@{host}/gone.mov?token=secret")
    for frame, pixels in zip(frames, numbered_frames(7), strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)
    assert (reader.name, reader.is_live, reader.frame_count) == (f"http://{host}/a.mov", False, 7)
    assert str(caught.value) == (
        f"http://{host}/gone.mov cannot be read (Server returned 404 Not Found); check that its "
        "host is reachable and that another player shows it. For a camera of this machine, use "
        "camera:0."
    )
    # Nobody listens there any more.
    with pytest.raises(DataError, match=rf"rtsp://{host}/live cannot be read \(Connection refused"):
        VideoReader(f"rtsp://name:secret@{host}/live")


def test_a_camera_that_is_not_there(tmp_path, av, monkeypatch):
    monkeypatch.setattr(video_reader, "_DEVICES", tmp_path)
    with pytest.raises(DataError, match=r"No camera 0: .*Linux finds no camera on this machine"):
        VideoReader("camera:0")
    (tmp_path / "video2").touch()
    with pytest.raises(
        DataError, match=r"No camera 0: the device .*/video0 .*; available: camera:2\."
    ):
        VideoReader("camera:0")
    with pytest.raises(DataError, match=r"The camera .*/video2 cannot be read \(.+\); check"):
        VideoReader("camera:2")


def test_without_pyav_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RuntimeNotInstalledError, match=r'pip install "keras_fasterseg\[video\]"'):
        VideoReader("a.mp4")
