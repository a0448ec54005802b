"""Videos for tests, written without the tested writer."""

import pathlib
import struct
from fractions import Fraction

import numpy as np

# How far a flat area may come out from what went in: limited-range YUV has 219 levels for 256 (2),
# and the encoder quantises at its constant quality (a few more). Colours that are told apart differ
# by 200.
FLAT_ATOL = 8


def numbered_frames(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames that differ: red is 4 `i` in the upper half of frame `i`, and 255 in the lower."""
    frames = []
    for number in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[: height // 2, :, 0] = 4 * number
        frame[height // 2 :, :, 0] = 255
        frames.append(frame)
    return frames


def write_lossless(path: pathlib.Path, frames: list[np.ndarray], *args, **kwargs) -> pathlib.Path:
    """`write_video` of PNGs."""
    return write_video(path, frames, *args, **kwargs)


def write_video(
    path: pathlib.Path,
    frames: list[np.ndarray],
    rate: Fraction | int = 25,
    timestamps: list[int] | None = None,
    format: str = "mov",
    options: dict[str, str] | None = None,
    codec: str = "png",
) -> pathlib.Path:
    """A video, by default in QuickTime's container; `timestamps` count 1 / `rate` seconds."""
    import av

    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number if timestamps is None else timestamps[number]
            frame.time_base = 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def set_matrix(path: pathlib.Path, matrix: tuple[int, int, int, int]) -> None:
    """Writes into the track's header how players turn and mirror it, as phones do.

    The matrix (a, b, c, d) maps (x, y) to (a x + c y, b x + d y), with y downwards, in fixed point
    numbers (ISO 14496-12).
    """
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    # After the name: version, times, track, duration, reserved, layer, group, volume.
    start = header + 4 + 4 + 20 + 8 + 8
    unit, one = 1 << 30, 1 << 16
    identity = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, unit)
    assert content[start : start + 36] == identity
    a, b, c, d = (one * value for value in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, unit)
    path.write_bytes(content)


def decoded(path: pathlib.Path) -> tuple[list[np.ndarray], list[Fraction], object]:
    """Frames of a video, the time of each in seconds, and properties of its stream."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [
            (frame.to_ndarray(format="rgb24"), frame.pts) for frame in container.decode(video=0)
        ]
        facts = {
            "codec": stream.codec_context.name,
            "pixels": stream.codec_context.pix_fmt,
            "colors": stream.codec_context.colorspace,
            "rate": stream.average_rate,
            "seconds": stream.duration * stream.time_base,
        }
        return (
            [pixels for pixels, _ in frames],
            [timestamp * stream.time_base for _, timestamp in frames],
            facts,
        )
