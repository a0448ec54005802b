"""Reads frames of a video, a stream or a camera, upright and with their times."""

import dataclasses
import fractions
import pathlib
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import logging

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.inference.frame_clock import FrameClock
from keras_fasterseg.runtimes.optional_import import optional_import

VIDEO_SUFFIXES = (
    *(".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".ogv", ".ts", ".webm", ".wmv", ".y4m"),
)

_DEVICES = pathlib.Path("/dev")
_PROTOCOLS = ("http", "https", "rtmp", "rtsp", "rtsps", "srt", "tcp", "udp")
_TIMEOUT_SECONDS = 10
_FALLBACK_RATE = fractions.Fraction(25)
# Shares of the stated frames and seconds below which the end of a file counts as missing.
_WHOLE = 0.9


def is_video(source: str) -> bool:
    """True if `VideoReader` accepts `source`: a camera, an address, or a video by its suffix.

    Raises:
        ValueError: `camera:` is not followed by a number, or the protocol is not supported.
    """
    suffix = pathlib.Path(source).suffix.lower()
    return camera_number(source) is not None or is_address(source) or suffix in VIDEO_SUFFIXES


def camera_number(source: str) -> int | None:
    """The number in `camera:0` or `/dev/video0`; None if `source` is not a camera.

    Raises:
        ValueError: `camera:` is not followed by a number.
    """
    device = re.fullmatch(r"/dev/video([0-9]+)", source)
    if device:
        return int(device[1])
    if not source.startswith("camera:"):
        return None
    number = source.removeprefix("camera:")
    if not re.fullmatch(r"[0-9]+", number):
        raise ValueError(
            f"A camera needs a number, such as camera:0 for /dev/video0. Received: {source}"
        )
    return int(number)


def is_address(source: str) -> bool:
    """True if `source` is a network address, such as `rtsp://host/stream`.

    Raises:
        ValueError: The protocol is not supported.
    """
    protocol, separator, _ = source.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", protocol):
        return False
    if protocol.lower() not in _PROTOCOLS:
        raise ValueError(
            "The address of a video must begin with "
            f"{', '.join(f'{each}://' for each in _PROTOCOLS)}; for a file, pass its path. "
            f"Received: {shown_address(source)}"
        )
    return True


def shown_address(source: str) -> str:
    """Protocol, host, port and path of an address, safe for logs and names.

    The other parts may contain a user name, a password or a token.
    """
    protocol, _, _ = source.partition("://")
    try:
        parts = urllib.parse.urlsplit(source)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        # An invalid host or port may be part of a password.
        return f"{protocol}://..."
    host = f"[{host}]" if ":" in host else host
    return f"{protocol}://{host}{'' if port is None else f':{port}'}{parts.path}"


@dataclasses.dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        pixels: uint8 RGB of shape `(height, width, 3)`.
        timestamp: Time at which it is shown, after the first frame, in units of the reader's
            `time_base`.
    """

    pixels: np.ndarray
    timestamp: int


class VideoReader:
    """Decodes frame by frame, and holds only the frames being decoded.

    Frames are rotated and mirrored as the file's display matrix specifies. Damaged packets are
    skipped and counted in `faults`. The reader warns if time stamps jump, see `FrameClock`.

    Args:
        source: A video file, an address such as `rtsp://host/stream`, or `camera:N` for the Linux
            camera `/dev/videoN`.

    Attributes:
        name: `source`; an address in the form of `shown_address`.
        is_live: Whether frames arrive as they are recorded, without end.
        frame_rate: Average frames per second.
        time_base: Seconds per unit of the timestamps.
        frame_count: Number of frames as stated by the file or estimated from its duration; None if
            unknown.

    Raises:
        DataError: The file, address or camera does not exist or cannot be read.
        RuntimeNotInstalledError: PyAV is not installed.
        ValueError: `camera:` is not followed by a number, or the protocol is not supported.
    """

    def __init__(self, source: str) -> None:
        self._av: Any = optional_import("av", "video", "Reading a video")
        self.name = shown_address(source) if is_address(source) else source
        number = camera_number(source)
        if number is not None:
            self._container = self._open_camera(number)
        elif is_address(source):
            self._container = self._open_address(source)
        else:
            self._container = self._open_file()
        if not self._container.streams.video:
            self._container.close()
            raise DataError(f"{self.name} has no video stream; use a source that has one.")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.frame_rate = _rate(self._stream)
        self.time_base: fractions.Fraction = self._stream.time_base
        self.frame_count = self._expected_frames() if number is None else None
        self.is_live = self.frame_count is None and (number is not None or is_address(source))
        self._damaged = 0
        self._broken_off: str | None = None
        self._missing: str | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """One sentence for each reading problem; complete after the last frame."""
        faults = []
        if self._damaged:
            faults.append(f"{self._damaged} damaged packets of {self.name} were skipped.")
        if self._broken_off:
            faults.append(f"Reading {self.name} stopped early ({self._broken_off}).")
        if self._missing:
            faults.append(self._missing)
        return tuple(faults)

    def __iter__(self) -> Iterator[Frame]:
        may_jump = bool(self._container.format.flags & self._av.format.Flags.ts_discont.value)
        clock = FrameClock(self.frame_rate, self.time_base, may_jump)
        count, is_told = 0, False
        for frame in self._frames():
            timestamp = clock.time(frame.pts)
            if clock.jumps and not is_told:
                is_told = True
                logging.warning(
                    "The time stamps of %s jump at frame %d, as in joined streams; the video "
                    "continues without a gap.",
                    self.name,
                    count,
                )
            count += 1
            yield Frame(_upright(frame), timestamp)
        self._check_length(count, clock.end * self.time_base)

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
            raise DataError(f"The file {self.name} does not exist.")
        try:
            return self._av.open(self.name)
        except self._av.error.FFmpegError as error:
            raise DataError(
                f"{self.name} is not a readable video ({error.strerror}); replace the file."
            ) from error

    def _open_address(self, source: str) -> Any:
        try:
            return self._av.open(source, timeout=_TIMEOUT_SECONDS)
        except (self._av.error.FFmpegError, ValueError) as error:
            # The complete error contains the address.
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise DataError(
                f"{self.name} cannot be read ({reason}); check that its host is reachable and that "
                "another player shows it. For a camera of this machine, use camera:0."
            ) from error

    def _open_camera(self, number: int) -> Any:
        device = _DEVICES / f"video{number}"
        if not device.exists():
            found = sorted(path.name for path in _DEVICES.glob("video[0-9]*"))
            there = ", ".join(name.replace("video", "camera:") for name in found)
            raise DataError(
                f"No camera {number}: the device {device} does not exist; "
                + (f"available: {there}." if there else "Linux finds no camera on this machine.")
            )
        try:
            return self._av.open(str(device), format="v4l2")
        except (self._av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(
                f"The camera {device} cannot be read ({reason}); check that no other program uses "
                "it and that you have permission to read the device."
            ) from error

    def _check_length(self, count: int, seconds: fractions.Fraction) -> None:
        # An edit list may skip frames in the file, and sound may be longer than the pictures. The
        # end of the file is missing only if both frames and seconds fall short.
        said, length = self._stream.frames, self._container.duration or 0
        few = count < _WHOLE * said
        if few and seconds < _WHOLE * length / self._av.time_base:
            self._missing = f"{self.name} should have {said} frames, but only {count} were read."

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
    # The angle is the rotation of the upper edge, in degrees, counterclockwise.
    quarters, is_mirrored = round(frame.rotation / 90) % 4, _is_mirrored(frame)
    if not quarters and not is_mirrored:
        return pixels
    return np.ascontiguousarray(np.rot90(pixels[::-1] if is_mirrored else pixels, quarters))


def _is_mirrored(frame: Any) -> bool:
    try:
        facts = {fact.type.name: fact for fact in frame.side_data}
    except ValueError:
        # FFmpeg has more kinds of side data than PyAV.
        return False
    if "DISPLAYMATRIX" not in facts:
        return False
    # Fixed-point numbers, whose product needs 64 bits.
    a, b, _, c, d = np.frombuffer(bytes(facts["DISPLAYMATRIX"]), np.int32)[:5].tolist()
    return a * d < b * c
