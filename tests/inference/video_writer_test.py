import sys
from fractions import Fraction

import numpy as np
import pytest

from keras_fasterseg.inference.video_writer import VideoWriter
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from tests.videos import FLAT_ATOL, decoded, numbered_frames


def write(path, frames, rate=Fraction(25), time_base=None, timestamps=None):
    with VideoWriter(path, rate, time_base or 1 / rate) as writer:
        for timestamp, pixels in zip(timestamps or range(len(frames)), frames, strict=True):
            writer.write(pixels, timestamp)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30), Fraction(30000, 1001)])
def test_what_is_written_is_h264_of_the_same_rate_and_length(tmp_path, rate):
    pytest.importorskip("av")
    frames = numbered_frames(30)
    write(tmp_path / "a.mp4", frames, rate)
    received, times, facts = decoded(tmp_path / "a.mp4")
    # BT.709 has the number 1 in ISO 23091-2.
    expected = {"codec": "h264", "pixels": "yuv420p", "colors": 1, "rate": rate}
    assert facts == {**expected, "seconds": 30 / rate}
    assert times == [number / rate for number in range(30)]
    for pixels, expected in zip(received, frames, strict=True):
        # Far from the edge between the halves, which the encoder blurs.
        np.testing.assert_allclose(pixels[4:16], expected[4:16], atol=FLAT_ATOL)
        np.testing.assert_allclose(pixels[32:], expected[32:], atol=FLAT_ATOL)


def test_times_are_kept(tmp_path):
    pytest.importorskip("av")
    timestamps = [0, 40, 200, 240, 1000]
    write(tmp_path / "a.mp4", numbered_frames(5), Fraction(25), Fraction(1, 1000), timestamps)
    _, times, _ = decoded(tmp_path / "a.mp4")
    assert times == [Fraction(each, 1000) for each in timestamps]


@pytest.mark.parametrize(("height", "width"), [(47, 64), (48, 63), (33, 35)])
def test_odd_sizes_grow_by_a_copy_of_the_last_row_or_column(tmp_path, height, width):
    pytest.importorskip("av")
    frame = np.zeros((height, width, 3), np.uint8)
    frame[-8:] = frame[:, -8:] = 200
    write(tmp_path / "a.mp4", [frame] * 3)
    (received, *_), _, _ = decoded(tmp_path / "a.mp4")
    assert received.shape == (height + height % 2, width + width % 2, 3)
    np.testing.assert_allclose(received[-4:].astype(int), 200, atol=FLAT_ATOL)
    np.testing.assert_allclose(received[:, -4:].astype(int), 200, atol=FLAT_ATOL)


def test_an_error_closes_the_file(tmp_path):
    pytest.importorskip("av")

    def broken_off():
        with VideoWriter(tmp_path / "a.mp4", Fraction(25), Fraction(1, 25)) as writer:
            for number, pixels in enumerate(numbered_frames(63)):
                writer.write(pixels, number)
            raise RuntimeError("the network")

    with pytest.raises(RuntimeError, match="the network"):
        broken_off()
    # Nothing more is written to it.
    (tmp_path / "a.mp4").rename(tmp_path / "b.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]


def test_a_folder_that_is_not_there(tmp_path):
    pytest.importorskip("av")
    with pytest.raises(OSError, match="No such file"):
        write(tmp_path / "gone" / "a.mp4", numbered_frames(1))


def test_without_pyav_it_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RuntimeNotInstalledError, match="Writing a video needs av"):
        VideoWriter(tmp_path / "a.mp4", Fraction(25), Fraction(1, 25))
