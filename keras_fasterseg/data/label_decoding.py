"""Decodes the values in a label file into train ids."""

import dataclasses
import pathlib

import numpy as np
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_encoding import GREY, GREY_ALPHA, ImageEncoding
from keras_fasterseg.data.source import NOT_ALLOWED, SegmentationSource


@dataclasses.dataclass(frozen=True)
class DecodedLabel:
    """Train ids and unknown values of a label file.

    Attributes:
        train_ids: `(height, width)` uint8; `NOT_ALLOWED` where the data set does not have the id
            or colour.
        unknown: The file's values at these pixels, in order: ids `(pixels,)`, or RGB colours
            `(pixels, 3)`.
    """

    train_ids: np.ndarray
    unknown: np.ndarray

    def check(self, path: pathlib.Path, source: SegmentationSource) -> None:
        """Raises `DataError` if the label has an unknown value; the message names the first."""
        if not len(self.unknown):
            return
        first = self.unknown[0]
        if first.ndim:
            raise DataError(
                f"The label {path} holds the colour {tuple(first.tolist())}, which is not a label "
                "colour of this data set; store labels without loss."
            )
        allowed = np.flatnonzero(source.label_lookup != NOT_ALLOWED)
        raise DataError(
            f"The label {path} holds the id {first}, which {source.name} does not have (its ids: "
            f"{_ranges(allowed)})."
        )


def decode_label(
    label: Image.Image, encoding: ImageEncoding, path: pathlib.Path, source: SegmentationSource
) -> DecodedLabel:
    """The train ids of a label, and its values that `source` does not know.

    Args:
        label: The label, as from `load_label`.
        encoding: Its encoding.
        path: Its file, for the error message.
        source: The data set, which defines the meaning of values.

    Raises:
        DataError: Grey values of few bits are ambiguous as ids.
    """
    if source.label_colors is not None:
        values = np.asarray(label.convert("RGB"))
        rows, is_known = _rows_of_colors(values, source.label_colors)
        train_ids = np.where(is_known, source.label_lookup[rows], np.uint8(NOT_ALLOWED))
        return DecodedLabel(train_ids, values[train_ids == NOT_ALLOWED])
    if encoding.kind == GREY and encoding.bits < 8:
        return _of_few_bits(label, encoding, path, source)
    return _of_ids(
        np.asarray(label.getchannel(0) if encoding.kind == GREY_ALPHA else label), source
    )


def readings_of_few_bits(bits: int, source: SegmentationSource) -> tuple[np.ndarray, np.ndarray]:
    """Train ids of grey values of 1, 2 or 4 bits: as stored, and stretched to 0-255.

    A program that writes ids with few bits means the stored values. A lossless PNG optimiser means
    the values stretched to 0-255: it turns an 8-bit label of only 0 and 255 into 1 bit.
    """
    values = np.arange(2**bits)
    stretched = source.label_lookup[values * (255 // (2**bits - 1))]
    return source.label_lookup[values], stretched


def _of_ids(values: np.ndarray, source: SegmentationSource) -> DecodedLabel:
    if values.dtype == np.uint8:
        train_ids = np.take(source.label_lookup, values)
    else:
        is_byte = (values >= 0) & (values <= 255)
        found = source.label_lookup[np.where(is_byte, values, 0)]
        train_ids = np.where(is_byte, found, np.uint8(NOT_ALLOWED))
    return DecodedLabel(train_ids, values[train_ids == NOT_ALLOWED])


def _of_few_bits(
    label: Image.Image, encoding: ImageEncoding, path: pathlib.Path, source: SegmentationSource
) -> DecodedLabel:
    values = np.asarray(label.convert("L")) // (255 // encoding.highest)
    used = np.flatnonzero(np.bincount(values.ravel(), minlength=encoding.highest + 1))
    plain, stretched = (ids[used] for ids in readings_of_few_bits(encoding.bits, source))
    if np.any(stretched == NOT_ALLOWED):
        return _of_ids(values, source)
    if np.any(plain == NOT_ALLOWED):
        return _of_ids(values * (255 // encoding.highest), source)
    # If both readings are ids, a reading that only ignores pixels is not the intended one.
    if np.any((plain != stretched) & (stretched != source.ignore_label)):
        raise DataError(
            f"The label {path} is stored as {encoding}, which is ambiguous: its values are ids of "
            f"{source.name} both as stored and stretched to 0-255; store labels with 8 bits."
        )
    return _of_ids(values, source)


def _rows_of_colors(pixels: np.ndarray, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds each of `pixels` `(height, width, 3)` in `colors`: its row, and whether it exists.

    The row of a missing colour is arbitrary.
    """
    codes, known = _color_codes(pixels), _color_codes(colors)
    order = np.argsort(known)
    position = np.minimum(np.searchsorted(known[order], codes), len(known) - 1)
    rows = order[position]
    return rows, known[rows] == codes


def _color_codes(colors: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(colors.astype(np.int32), -1, 0)
    return (red << 16) | (green << 8) | blue


def _ranges(values: np.ndarray) -> str:
    """Formats `[0, 1, 2, 5]` as `0-2, 5`."""
    breaks = np.flatnonzero(np.diff(values) != 1) + 1
    runs = np.split(values, breaks)
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
