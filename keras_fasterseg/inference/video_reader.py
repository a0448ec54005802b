"""Frames of a video file or of a camera, upright and with the time at which each is shown."""

import dataclasses
import fractions
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.runtimes.optional_import import optional_import

VIDEO_SUFFIXES = (
    *(".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".ogv", ".ts", ".webm", ".wmv", ".y4m"),
)

_DEVICES = pathlib.Path("/dev")
_FALLBACK_RATE = fractions.Fraction(25)
# Shares of frames and seconds below which the end of a file is missing.
_WHOLE = 0.9


def camera_number(source: str) -> int | None:
    """The number in `camera:0`; None if `source` names no camera.

    Raises:
        ValueError: What follows `camera:` is no number.
    """
    if not source.startswith("camera:"):
        return None
    number = source.removeprefix("camera:")
    if not re.fullmatch(r"[0-9]+", number):
        raise ValueError(
            f"A camera is named by its number, such as camera:0 for /dev/video0. Received: {source}"
        )
    return int(number)


@dataclasses.dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        pixels: uint8 RGB of shape `(height, width, 3)`.
        timestamp: When it is shown, in units of the reader's `time_base` after the first frame.
    """

    pixels: np.ndarray
    timestamp: int


class VideoReader:
    """Decodes one frame after the other; only those that are being decoded are held.

    Frames are turned as the file says that players shall turn them. Packets that are damaged are
    passed over and told of in `faults`.

    Args:
        source: A video file, or `camera:N` for Linux's N-th camera, `/dev/videoN`.

    Attributes:
        name: `source`.
        is_camera: Whether frames come as they are taken, without end.
        frame_rate: Frames a second, on average.
        time_base: Seconds of a unit of the timestamps.
        frame_count: How many frames the file says or lets suppose it has; None if it does not.

    Raises:
        DataError: There is no such file or camera, or none that can be read.
        RuntimeNotInstalledError: PyAV is not installed.
        ValueError: What follows `camera:` is no number.
    """

    def __init__(self, source: str) -> None:
        self._av: Any = optional_import("av", "video", "Reading a video")
        self.name = source
        number = camera_number(source)
        self.is_camera = number is not None
        self._container = self._open_file() if number is None else self._open_camera(number)
        if not self._container.streams.video:
            self._container.close()
            raise DataError(f"{source} holds no video; give a file that does.")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.frame_rate = _rate(self._stream)
        self.time_base: fractions.Fraction = self._stream.time_base
        self.frame_count = None if self.is_camera else self._expected_frames()
        self._damaged = 0
        self._broken_off: str | None = None
        self._missing: str | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """A sentence for what could not be read, after the last frame."""
        faults = []
        if self._damaged:
            faults.append(f"{self._damaged} damaged packets of {self.name} were passed over.")
        if self._broken_off:
            faults.append(f"{self.name} could not be read any further ({self._broken_off}).")
        if self._missing:
            faults.append(self._missing)
        return tuple(faults)

    def __iter__(self) -> Iterator[Frame]:
        step = 1 / (self.frame_rate * self.time_base)
        first, last, count = None, -1, 0
        for index, frame in enumerate(self._frames()):
            if frame.pts is None:
                timestamp = round(index * step)
            else:
                first = frame.pts if first is None else first
                timestamp = frame.pts - first
            # Encoders take no two frames of one time.
            last, count = max(timestamp, last + 1), index + 1
            yield Frame(_upright(frame), last)
        self._check_length(count, (last + step) * self.time_base)

    def close(self) -> None:
        """Closes the file or the camera."""
        self._container.close()

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frames(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._av.error.FFmpegError as error:
                self._broken_off = error.strerror
                return
            try:
                yield from packet.decode()
            except self._av.error.InvalidDataError:
                self._damaged += 1

    def _open_file(self) -> Any:
        if not pathlib.Path(self.name).is_file():
            raise DataError(f"There is no file {self.name}.")
        try:
            return self._av.open(self.name)
        except self._av.error.FFmpegError as error:
            raise DataError(
                f"{self.name} is not a video that can be read ({error.strerror}); replace the file."
            ) from error

    def _open_camera(self, number: int) -> Any:
        device = _DEVICES / f"video{number}"
        if not device.exists():
            found = sorted(path.name for path in _DEVICES.glob("video[0-9]*"))
            there = ", ".join(name.replace("video", "camera:") for name in found)
            raise DataError(
                f"There is no camera {number}: no device {device}; "
                + (f"there are {there}." if there else "this machine has no camera for Linux.")
            )
        try:
            return self._av.open(str(device), format="v4l2")
        except (self._av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(
                f"The camera {device} cannot be read ({reason}); see that no other program has it "
                "and that you may read the device."
            ) from error

    def _check_length(self, count: int, seconds: fractions.Fraction) -> None:
        # An edit leaves out frames that are in the file, and sound may be longer than the pictures:
        # only both together are a file whose end is missing.
        said, length = self._stream.frames, self._container.duration or 0
        few = count < _WHOLE * said
        if few and seconds < _WHOLE * length / self._av.time_base:
            self._missing = f"{self.name} says that it has {said} frames, and {count} are in it."

    def _expected_frames(self) -> int | None:
        if self._stream.frames:
            return self._stream.frames
        if self._stream.duration:
            return round(self._stream.duration * self.time_base * self.frame_rate)
        if self._container.duration:
            return round(self._container.duration / self._av.time_base * self.frame_rate)
        return None


def _rate(stream: Any) -> fractions.Fraction:
    return stream.average_rate or stream.guessed_rate or _FALLBACK_RATE


def _upright(frame: Any) -> np.ndarray:
    pixels = frame.to_ndarray(format="rgb24")
    # Degrees, counterclockwise.
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels
