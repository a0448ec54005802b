"""PNG and BMP files of every kind, written byte by byte: Pillow writes a few kinds only."""

import struct
import zlib

import numpy as np

# PNG, table 11.1: colour types and the depths that each may have.
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png(samples: np.ndarray, color_type: int, depth: int, palette=(), transparency=b"") -> bytes:
    """A PNG file of `samples` `(height, width)` or `(height, width, channels)`, as they are."""
    height, width = samples.shape[:2]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0))]
    if len(palette):
        chunks.append((b"PLTE", np.asarray(palette, np.uint8).tobytes()))
    if transparency:
        chunks.append((b"tRNS", transparency))
    rows = (b"\0" + row for row in _packed(samples.reshape(height, -1), depth))
    chunks += [(b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def bmp(samples: np.ndarray, bits: int, palette) -> bytes:
    """A BMP file of indices `(height, width)` into `palette`, or of 16 bits a pixel."""
    height, width = samples.shape
    packed = _packed(samples.byteswap() if bits == 16 else samples, bits)[::-1]
    rows = (row + b"\0" * (-len(row) % 4) for row in packed)
    pixels = b"".join(rows)
    colors = b"".join(bytes((blue, green, red, 0)) for red, green, blue in palette)
    start = 54 + len(colors)
    sizes = (40, width, height, 1, bits, 0, len(pixels), 0, 0, len(palette), 0)
    head = struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", *sizes) + colors + pixels


def _packed(rows: np.ndarray, depth: int) -> list[bytes]:
    """Rows of samples of `depth` bits, the first in the highest bits."""
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in rows]
    bits = np.unpackbits(rows.astype(np.uint8)[..., np.newaxis], axis=-1)[..., 8 - depth :]
    return [np.packbits(row).tobytes() for row in bits]
