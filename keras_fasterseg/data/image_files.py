"""Reads one image and its label, with errors that name the file.

It uses Pillow instead of `tf.io.decode_png`. Pillow's errors can be turned into one sentence about
one file, and it reads palette PNGs as the ids they hold. It also releases the interpreter lock
while it decodes, so several threads of a `tf.data` pipeline run in parallel.
"""

import contextlib
import dataclasses
import pathlib
import struct
import threading
from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_encoding import (
    FORMATS,
    GREY,
    KINDS,
    PALETTE,
    RGB,
    RGB_ALPHA,
    SIGNED_GREY,
    ImageEncoding,
    has_transparent_pixels,
    orientation,
    read_encoding,
)
from keras_fasterseg.data.label_decoding import decode_label
from keras_fasterseg.data.source import MAX_MEGAPIXELS, Sample, SegmentationSource

_PIXELS_IN_MEGAPIXEL = 1_000_000
_LIMIT_OF_PILLOW = threading.Lock()


@dataclasses.dataclass(frozen=True)
class StoredImage:
    """A decoded image file.

    Attributes:
        pixels: The image, in the mode in which Pillow loads it.
        encoding: Encoding of the image in its file.
    """

    pixels: Image.Image
    encoding: ImageEncoding


def read_sample(
    sample: Sample, source: SegmentationSource, *, downsample: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Reads an image and its label.

    Args:
        sample: The two files.
        source: The data set, which defines the meaning of label values.
        downsample: Divides height and width, which are rounded down. The image is resized with an
            antialiased bilinear filter, the label by nearest neighbour.

    Returns:
        The image `(height, width, 3)` and the train ids `(height, width)`, both uint8.

    Raises:
        DataError: A file is missing, unreadable or truncated, the two differ in size, the label
            holds an id or a colour that the data set does not have, or the image has an EXIF
            orientation other than upright.
        ValueError: `downsample` is below 1 or above the size of the image.
    """
    image = load_image(sample.image, source)
    check_upright(image, sample.image)
    label = load_label(sample.label, source)
    check_equal_sizes(sample, image, label)
    train_ids = _train_ids(label, sample.label, source)
    return downsampled(image.pixels.convert("RGB"), train_ids, downsample, sample.image)


def downsampled(
    image: Image.Image, train_ids: np.ndarray, downsample: int, path: pathlib.Path
) -> tuple[np.ndarray, np.ndarray]:
    """Downsamples an image and its train ids as in `read_sample`; `path` is for the error message.

    Raises:
        ValueError: `downsample` is below 1 or above the size of the image.
    """
    if downsample == 1:
        return np.asarray(image), train_ids
    size = (image.width // downsample, image.height // downsample) if downsample > 1 else (0, 0)
    if min(size) < 1:
        raise ValueError(
            f"downsample must be between 1 and the size of the image. Received: {downsample} for "
            f"{path} of {_size(image)}"
        )
    image = image.resize(size, Image.Resampling.BILINEAR)
    label = Image.fromarray(train_ids).resize(size, Image.Resampling.NEAREST)
    return np.asarray(image), np.asarray(label)


def read_image(path: pathlib.Path, max_megapixels: int = MAX_MEGAPIXELS) -> np.ndarray:
    """The RGB image `(height, width, 3)` uint8 in the file `path`, upright as viewers show it.

    Grey becomes three equal channels, and palette indices become their colours. Transparency is
    dropped, which keeps the stored colour of transparent pixels.

    Args:
        path: The file, of one of `FORMATS`.
        max_megapixels: Larger images are rejected before they are decoded.

    Raises:
        DataError: The file is missing, unreadable, truncated or too large, or its pixels are not
            grey, RGB or a palette of at most 8 bits.
    """
    image = _load_image(path, max_megapixels).pixels
    # Pillow has already rotated TIFF files and reset their orientation to 1.
    if orientation(image) != 1:
        # Otherwise Pillow would also rewrite the EXIF, which fails for some cameras.
        image.info.clear()
        image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert("RGB"))


def read_label(path: pathlib.Path, source: SegmentationSource) -> np.ndarray:
    """The train ids `(height, width)` uint8 in the label file `path`. Raises as `read_sample`."""
    return _train_ids(load_label(path, source), path, source)


def read_ids(path: pathlib.Path, max_megapixels: int = MAX_MEGAPIXELS) -> np.ndarray:
    """The ids `(height, width)` uint8 in the indexed or 8-bit grey PNG file `path`.

    Args:
        path: The file. Its colours and its transparency do not count.
        max_megapixels: Larger images are rejected before they are decoded.

    Raises:
        DataError: The file is missing, unreadable, truncated or too large, or has another encoding.
    """
    image = _load(path, max_megapixels)
    encoding = image.encoding
    # Pillow stretches grey of fewer bits to 0-255.
    is_indexed = encoding.kind == PALETTE or (encoding.kind == GREY and encoding.bits == 8)
    if encoding.format != "PNG" or not is_indexed:
        raise DataError(
            f"{path} is stored as {encoding}, but it must hold one id per pixel; store it as a PNG "
            "with a palette or 8-bit grey."
        )
    if encoding.orientation != 1:
        raise DataError(
            f"{path} is rotated or mirrored by its EXIF orientation ({encoding.orientation}); "
            "store the pixels upright, without that tag."
        )
    return np.asarray(image.pixels)


def read_size(path: pathlib.Path) -> tuple[int, int]:
    """Height and width of the image at `path`, read from its header only.

    Raises:
        DataError: The file is missing or is not an image.
    """
    with _opened(path) as (image, _):
        return image.height, image.width


def read_header(path: pathlib.Path) -> ImageEncoding:
    """Encoding of the image at `path`, without decoding it. Raises as `read_size`."""
    with _opened(path) as (_, encoding):
        return encoding


def load_image(path: pathlib.Path, source: SegmentationSource) -> StoredImage:
    """The decoded image of a sample in the file `path`.

    Raises:
        DataError: The file is missing, unreadable, truncated or too large, or its encoding is
            ambiguous or not supported.
    """
    return _load_image(path, source.max_megapixels)


def _load_image(path: pathlib.Path, max_megapixels: int) -> StoredImage:
    image = _load(path, max_megapixels)
    encoding = image.encoding
    # Transparency is dropped; with this entry Pillow would warn about it.
    image.pixels.info.pop("transparency", None)
    if encoding.kind in KINDS and encoding.bits > 8:
        raise DataError(
            f"{path} is stored as {encoding}, which does not define the value of white (a 12-bit "
            "camera uses a sixteenth of the range); convert all images to 8 bits in the same way."
        )
    if encoding.kind not in KINDS:
        raise DataError(
            f"{path} is stored as {encoding}, which is not supported; convert it to grey or RGB "
            "with 8 bits."
        )
    return image


def load_label(path: pathlib.Path, source: SegmentationSource) -> StoredImage:
    """The decoded label of a sample in the file `path`: ids, or colours if `source` uses colours.

    Raises:
        DataError: The file is missing, unreadable, truncated or too large, or its encoding is
            lossy, ambiguous or not supported.
    """
    label = _load(path, source.max_megapixels)
    encoding = label.encoding
    has_ids = source.label_colors is None
    stored = f"The label {path} is stored as {encoding}"
    if not encoding.is_lossless:
        raise DataError(
            f"{stored}, which is lossy and changes label values; store labels without loss, as PNG."
        )
    if has_ids and encoding.kind in (RGB, RGB_ALPHA):
        raise DataError(
            f"{stored}, but labels of {source.name} hold ids; store ids in one channel of 8 bits, "
            "or describe the colours in a dataset.yaml with `labels: colors`."
        )
    bits = (8, 1, 2, 4) if encoding.kind in (GREY, PALETTE) else (8,)
    is_read = encoding.kind in KINDS and encoding.bits in bits
    has_long_ids = encoding.kind in (GREY, SIGNED_GREY) and encoding.bits in (16, 32)
    if not is_read and not (has_ids and has_long_ids):
        expected = "ids in one channel" if has_ids else "RGB"
        raise DataError(f"{stored}, which is not supported; store {expected} with 8 bits, as PNG.")
    if encoding.is_inverted and has_ids:
        raise DataError(
            f"{stored} with 0 as white, so an id may be the value or its complement; store labels "
            "as PNG."
        )
    if encoding.orientation != 1:
        raise DataError(
            f"{stored} and rotated or mirrored by its EXIF orientation ({encoding.orientation}); "
            "store the pixels to match the image, without that tag."
        )
    if has_transparent_pixels(label.pixels, encoding):
        raise DataError(
            f"{stored} and has transparent pixels, which may or may not mean ignored; store it "
            "without transparency, and mark ignored pixels with an id or a colour."
        )
    label.pixels.info.pop("transparency", None)
    return label


def check_megapixels(path: pathlib.Path, height: int, width: int, limit: int) -> None:
    """Raises `DataError` if an image has more than `limit` megapixels."""
    megapixels = height * width / _PIXELS_IN_MEGAPIXEL
    if megapixels > limit:
        raise DataError(
            f"{path} is {height} x {width}, {megapixels:,.1f} megapixels, and the limit is "
            f"{limit:,}; cut it into tiles, or raise max_megapixels if memory allows."
        )


def check_upright(image: StoredImage, path: pathlib.Path) -> None:
    """Raises `DataError` if the EXIF orientation of a sample's image is not upright."""
    # Labelling tools differ: some apply the orientation, others show the image as stored.
    if image.encoding.orientation != 1:
        raise DataError(
            f"{path} is rotated or mirrored by its EXIF orientation (not 1), and its label may or "
            "may not be; store the pixels to match the label, without that tag."
        )


def check_equal_sizes(sample: Sample, image: StoredImage, label: StoredImage) -> None:
    """Raises `DataError` unless an image and its label have the same size."""
    if image.pixels.size != label.pixels.size:
        raise DataError(
            f"The label {sample.label} is {_size(label.pixels)} (height x width), but its image "
            f"{sample.image} is {_size(image.pixels)}."
        )


def _load(path: pathlib.Path, max_megapixels: int) -> StoredImage:
    with _opened(path) as (image, encoding):
        check_megapixels(path, image.height, image.width, max_megapixels)
        if not encoding.is_alone:
            raise DataError(
                f"{path} holds several images, pages or frames; store one image per file."
            )
        image.load()
    # By now Pillow has rotated a TIFF file's pixels and dropped its orientation.
    if encoding.format != "TIFF":
        encoding = dataclasses.replace(encoding, orientation=orientation(image))
    return StoredImage(image, encoding)


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[tuple[ImageFile.ImageFile, ImageEncoding]]:
    """Opens an image file without decoding it; turns all errors within it into `DataError`."""
    try:
        with open(path, "rb") as file:
            # Wait for the disk here, not while holding the lock on Pillow's limit.
            file.peek(1)
            with open_image(file) as image:
                yield image, read_encoding(image, file)
    except DataError:
        raise
    # Pillow raises SyntaxError for broken PNG chunks and ValueError for some broken headers.
    except (OSError, SyntaxError, ValueError, struct.error, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def open_image(file: IO[bytes], formats: tuple[str, ...] = FORMATS) -> ImageFile.ImageFile:
    """Pillow's `Image.open` without its size limit: the caller checks the size before decoding."""
    # Pillow checks one process-wide pixel limit as it opens a file, and warns on the terminal.
    # Here the limit of the data set applies instead.
    with _LIMIT_OF_PILLOW:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _unreadable(path: pathlib.Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"The file {path} does not exist.")
    if isinstance(error, UnidentifiedImageError):
        return DataError(
            f"{path} is not an image that can be read ({', '.join(FORMATS)}); replace the file."
        )
    return DataError(f"{path} is damaged or cannot be read ({error}); replace the file.")


def _train_ids(label: StoredImage, path: pathlib.Path, source: SegmentationSource) -> np.ndarray:
    decoded = decode_label(label.pixels, label.encoding, path, source)
    decoded.check(path, source)
    return decoded.train_ids


def _size(image: Image.Image) -> str:
    return f"{image.height} x {image.width}"
