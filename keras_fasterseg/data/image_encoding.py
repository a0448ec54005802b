"""Encodings of image files, read from their headers, because Pillow's modes hide details.

Pillow reduces 16-bit colour channels to 8 bits and stretches grey of 1, 2 and 4 bits to 0-255. It
rotates TIFF files upright as it loads them, and opens only the first of several pages.
"""

import dataclasses
import struct
from typing import IO, Any

import numpy as np
from PIL import ExifTags, Image, ImageFile

# Formats with a known depth and losslessness, and with decoders that need no other program.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
GREY, PALETTE, RGB = "grey", "palette", "RGB"
GREY_ALPHA, RGB_ALPHA = "grey and alpha", "RGB and alpha"
SIGNED_GREY = "signed grey"
KINDS = (GREY, PALETTE, RGB, GREY_ALPHA, RGB_ALPHA)

_PNG_KINDS = {0: GREY, 2: RGB, 3: PALETTE, 4: GREY_ALPHA, 6: RGB_ALPHA}
_KINDS = {
    **dict.fromkeys(("1", "L", "I;16", "I;16B", "I;16L", "I", "F"), GREY),
    "P": PALETTE,
    "RGB": RGB,
    "LA": GREY_ALPHA,
    "RGBA": RGB_ALPHA,
}
_BITS = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}
_LOSSLESS_TIFF = ("raw", "packbits", "group3", "group4", "lzma", "zstd")
_NUMBERS = {1: "", 2: SIGNED_GREY.removesuffix(GREY), 3: "floating-point "}


@dataclasses.dataclass(frozen=True)
class ImageEncoding:
    """Encoding of an image file.

    Attributes:
        format: Pillow's name of the file format.
        kind: One of `KINDS`, or another word for kinds that cannot be read.
        bits: Bits per grey value, per channel or per palette index.
        is_lossless: True if decoding returns every value exactly as it was stored.
        is_inverted: True if 0 is white, as in some TIFF files; Pillow inverts the values.
        is_alone: True if it is the only image in its file. The previews that cameras append to
            a JPEG do not count.
        orientation: The EXIF orientation; 1 is upright. A PNG file may store it after its pixels.
        palette: Red, green and blue of each index, one after the other; empty without a palette.
    """

    format: str
    kind: str
    bits: int
    is_lossless: bool
    is_inverted: bool
    is_alone: bool
    orientation: int
    palette: bytes

    def __str__(self) -> str:
        return f"{self.bits}-bit {self.kind} {self.format}"

    @property
    def highest(self) -> int:
        """The largest value that the bits can store."""
        return 2**self.bits - 1


def read_encoding(image: ImageFile.ImageFile, file: IO[bytes]) -> ImageEncoding:
    """The encoding of `image`, which was opened from `file` but is not loaded yet.

    Raises:
        OSError, SyntaxError, ValueError: The file is damaged; these are Pillow's own errors.
    """
    format_name = "JPEG" if image.format == "MPO" else str(image.format)
    kind, bits = _KINDS.get(image.mode, image.mode), _BITS.get(image.mode, 8)
    is_lossless, is_inverted, turned = format_name != "JPEG", False, 1
    if format_name == "PNG":
        bits, color_type = _header(file, 24, "BB")
        kind = _PNG_KINDS[color_type]
    elif format_name == "BMP":
        kind, bits = _bmp_kind(image, file)
    elif format_name == "TIFF":
        tags = image.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
        bits = max(tags.get(ExifTags.Base.BitsPerSample, (1,)))
        number = _NUMBERS.get(tags.get(ExifTags.Base.SampleFormat, (1,))[0], "odd ")
        kind = number + kind
        turned = _known_orientation(tags.get(ExifTags.Base.Orientation))
        is_inverted = tags.get(ExifTags.Base.PhotometricInterpretation) == 0
        compression = str(image.info.get("compression", "raw")).removeprefix("tiff_")
        is_lossless = compression in (*_LOSSLESS_TIFF, "lzw", "adobe_deflate", "deflate", "ccitt")
    elif format_name == "WEBP":
        is_lossless = _is_lossless_webp(file)
    elif format_name == "PPM":
        kind, bits = _ppm_kind(image, kind, bits)
    return ImageEncoding(
        format=format_name,
        kind=kind,
        bits=bits,
        is_lossless=is_lossless,
        is_inverted=is_inverted,
        is_alone=image.format == "MPO" or not getattr(image, "is_animated", False),
        orientation=turned,
        palette=_palette(image),
    )


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image, from 1 (upright) to 8."""
    try:
        return _known_orientation(image.getexif().get(ExifTags.Base.Orientation))
    except (SyntaxError, ValueError, KeyError, TypeError, struct.error):
        # Viewers ignore damaged EXIF and show the image as stored.
        return 1


def _known_orientation(value: Any) -> int:
    # Viewers and Pillow ignore any other value, such as the 0 that some scanners write.
    return value if value in range(1, 9) else 1


def has_transparent_pixels(image: Image.Image, encoding: ImageEncoding) -> bool:
    """True if any pixel of a loaded image is not fully opaque."""
    if image.mode in ("LA", "RGBA"):
        return any(image.getchannel("A").histogram()[:255])
    transparent = image.info.get("transparency")
    if transparent is None:
        return False
    if image.mode == "P":
        used = np.flatnonzero(image.histogram())
        if isinstance(transparent, bytes):
            return any(index < len(transparent) and transparent[index] < 255 for index in used)
        return transparent in used
    pixels = np.asarray(image)
    if image.mode == "RGB":
        return bool(np.any(np.all(pixels == transparent, axis=-1)))
    # Pillow stretches 2-bit and 4-bit values, but not the transparent value.
    factor = 255 // encoding.highest if image.mode == "L" else 1
    return bool(np.any(pixels == (transparent != 0 if image.mode == "1" else transparent * factor)))


def _palette(image: Image.Image) -> bytes:
    if image.mode != "P" or image.palette is None:
        return b""
    layout, data = image.palette.getdata()
    entries = np.frombuffer(data, np.uint8)
    if layout == "RGB;L":
        return entries.reshape(3, -1).T.tobytes()
    channels = entries.reshape(-1, len(layout))[:, :3]
    return (channels[:, ::-1] if layout.startswith("BGR") else channels).tobytes()


def _header(file: IO[bytes], offset: int, layout: str) -> tuple[int, ...]:
    position = file.tell()
    file.seek(offset)
    values = struct.unpack(f"<{layout}", file.read(struct.calcsize(f"<{layout}")))
    file.seek(position)
    return values


def _bmp_kind(image: Image.Image, file: IO[bytes]) -> tuple[str, int]:
    (header_size,) = _header(file, 14, "I")
    (pixel_bits,) = _header(file, 24 if header_size == 12 else 28, "H")
    # Two bytes per pixel hold 5 bits of red, 5 of blue, and 5 or 6 of green.
    bits = 5 if pixel_bits == 16 else min(pixel_bits, 8)
    kind = _KINDS.get(image.mode, image.mode)
    if kind == GREY and bits != _BITS.get(image.mode, 8):
        # Pillow mistakes such palette indices for grey values of another depth.
        return "grey-palette", bits
    return kind, bits


def _ppm_kind(image: ImageFile.ImageFile, kind: str, bits: int) -> tuple[str, int]:
    if image.mode == "F":
        return _NUMBERS[3] + kind, bits
    codec, arguments = image.tile[0].codec_name, image.tile[0].args
    if codec == "raw" or image.mode == "1" or not isinstance(arguments, tuple):
        return kind, 16 if image.mode == "I" else bits
    maximum = arguments[-1]
    bits = maximum.bit_length()
    # Pillow stretches values with another maximum, such as 100, to 0-255, and rounds.
    return kind if maximum == 2**bits - 1 else f"0-to-{maximum} {kind}", bits


def _is_lossless_webp(file: IO[bytes]) -> bool:
    position = file.tell()
    file.seek(12)
    while len(chunk := file.read(8)) == 8:
        name, size = chunk[:4], int.from_bytes(chunk[4:], "little")
        if name in (b"VP8L", b"VP8 "):
            break
        file.seek(size + size % 2, 1)
    else:
        name = b""
    file.seek(position)
    return name == b"VP8L"
