"""Writes the records of a TFRecord file, the format of shards and of TensorBoard's event files.

A record is framed by its length (8 bytes) and the length's checksum (4) before it, and its own
checksum (4) after it.

Reference:
    https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
    Checksum: CRC-32C (RFC 3720, section 12.1).
"""

import functools
import struct
from typing import BinaryIO

import numpy as np

# Castagnoli's polynomial with reversed bits.
_POLYNOMIAL = np.uint32(0x82F63B78)
# A checksum starts at all ones, which is the remainder of these bytes.
_START = bytes.fromhex("54641f64")
_MASK_DELTA = 0xA282EAD8
# Data is cut into pieces of this many bytes, whose remainders are computed together.
_PIECE_BYTES = 256


def write_record(file: BinaryIO, record: bytes) -> None:
    """Appends a record to a TFRecord file."""
    length = struct.pack("<Q", len(record))
    file.write(length + _masked_crc(length))
    file.write(record)
    file.write(_masked_crc(record))


def crc32c(data: bytes) -> int:
    """Returns the CRC-32C of `data`."""
    data = _START + data
    pieces = 1 << ((len(data) - 1) // _PIECE_BYTES).bit_length()
    # Zeros in front do not change the remainder.
    words = np.frombuffer(data.rjust(pieces * _PIECE_BYTES, b"\0"), "<u2").reshape(pieces, -1)
    remainders = _after_words(np.zeros(pieces, np.uint32), words.T.astype(np.uint32))
    level = 0
    while len(remainders) > 1:
        remainders = _applied(_shift(level), remainders[::2]) ^ remainders[1::2]
        level += 1
    return int(~remainders[0])


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    rotated = crc >> 15 | crc << 17 & 0xFFFFFFFF
    return struct.pack("<I", rotated + _MASK_DELTA & 0xFFFFFFFF)


def _after_words(remainders: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Remainders `(pieces,)` after the 16-bit words `(words, pieces)` of each piece."""
    table = _table()
    for word in words:
        remainders = np.take(table, (remainders ^ word) & 0xFFFF) ^ remainders >> 16
    return remainders


@functools.cache
def _table() -> np.ndarray:
    """The remainder of every 16-bit word."""
    table = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        table = table >> 1 ^ (table & 1) * _POLYNOMIAL
    return table


@functools.cache
def _shift(level: int) -> np.ndarray:
    """The effect of 2^level pieces of zeros on each of the 32 bits of a remainder."""
    if level == 0:
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        return _after_words(bits, np.zeros((_PIECE_BYTES // 2, 32), np.uint32))
    half = _shift(level - 1)
    return _applied(half, half)


def _applied(shift: np.ndarray, remainders: np.ndarray) -> np.ndarray:
    """Shifted remainders: the sum of the effects on their bits."""
    shifted = np.zeros_like(remainders)
    for bit, effect in enumerate(shift):
        shifted ^= (remainders >> np.uint32(bit) & 1) * effect
    return shifted
