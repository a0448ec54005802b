"""Writes frames as H.264 into an mp4 file that every player and browser supports."""

import fractions
from types import TracebackType
from typing import Any

import numpy as np

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.optional_import import optional_import

_CODEC = "libx264"
# Constant quality, at which the edges of classes stay sharp.
_OPTIONS = {"crf": "20", "preset": "veryfast"}
_PIXELS = "yuv420p"
# BT.709 in the limited range, with tags: players guess if tags are missing.
_COLOR_SPACE = "ITU709"
_COLOR_TAGS = {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": 1}


class VideoWriter:
    """A context manager that writes a video; the file is complete once it exits without an error.

    The H.264 format that players support (yuv420p) has only even sizes. An odd height or width
    grows by a copy of its last row or column.

    Args:
        path: The file to write, with the suffix `.mp4`.
        frame_rate: Average frames per second.
        time_base: Seconds per unit of the timestamps.

    Raises:
        RuntimeNotInstalledError: PyAV is not installed.
        OSError: The file cannot be written.
        ValueError: PyAV was built without an encoder for H.264.
    """

    def __init__(
        self, path: PathLike, frame_rate: fractions.Fraction, time_base: fractions.Fraction
    ) -> None:
        self._av: Any = optional_import("av", "video", "Writing a video")
        if _CODEC not in self._av.codecs_available:
            raise ValueError(
                f"The installed PyAV has no encoder {_CODEC}; install PyAV from PyPI: "
                "pip install --force-reinstall --only-binary=av av."
            )
        self._frame_rate, self._time_base = frame_rate, time_base
        self._container = self._av.open(str(path), "w", format="mp4")
        self._stream: Any = None

    def write(self, pixels: np.ndarray, timestamp: int) -> None:
        """Appends a frame.

        Args:
            pixels: uint8 RGB of shape `(height, width, 3)`, all frames of one shape.
            timestamp: Time at which the frame is shown, in units of `time_base`; must increase.

        Raises:
            OSError: The disk is full.
        """
        height, width, _ = pixels.shape
        if height % 2 or width % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._stream = self._add_stream(*pixels.shape[:2])
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(format=_PIXELS, dst_colorspace=_COLOR_SPACE)
        frame.pts, frame.time_base = timestamp, self._time_base
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._stream is not None:
                # Flushes the encoder.
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def _add_stream(self, height: int, width: int) -> Any:
        stream = self._container.add_stream(_CODEC, rate=self._frame_rate, options=_OPTIONS)
        stream.height, stream.width, stream.pix_fmt = height, width, _PIXELS
        stream.codec_context.time_base = self._time_base
        for name, value in _COLOR_TAGS.items():
            setattr(stream.codec_context, name, value)
        return stream
