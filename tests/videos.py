"""Videos for tests, written without the writer that is tested."""

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


def write_lossless(
    path: pathlib.Path,
    frames: list[np.ndarray],
    rate: Fraction | int = 25,
    timestamps: list[int] | None = None,
    format: str = "mov",
    options: dict[str, str] | None = None,
) -> pathlib.Path:
    """A video of PNGs, by default in QuickTime's container; `timestamps` count 1 / `rate` s."""
    import av

    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream("png", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "rgb24"
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number if timestamps is None else timestamps[number]
            frame.time_base = 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn_clockwise(path: pathlib.Path) -> None:
    """Writes into the track's header that players turn it by a quarter, as phones do.

    The matrix maps (x, y) to (-y, x), with y downwards, in fixed point numbers (ISO 14496-12).
    """
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    # After the name: version, times, track, duration, reserved, layer, group, volume.
    matrix = header + 4 + 4 + 20 + 8 + 8
    unit, one = 1 << 30, 1 << 16
    identity = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, unit)
    assert content[matrix : matrix + 36] == identity
    content[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, unit)
    path.write_bytes(content)


def decoded(path: pathlib.Path) -> tuple[list[np.ndarray], list[Fraction], object]:
    """The frames of a video, the second at which each is shown, and facts of its stream."""
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
