"""Contents and all faults of an image and its label; reading stops at the first fault."""

import contextlib
import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from keras_fasterseg.data.check_samples import check_smallest
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import (
    check_equal_sizes,
    check_upright,
    load_image,
    load_label,
)
from keras_fasterseg.data.label_decoding import decode_label
from keras_fasterseg.data.source import NOT_ALLOWED, Sample, SegmentationSource

MISSING_IMAGE = "missing image"
MISSING_LABEL = "missing label"
UNREADABLE_IMAGE = "unreadable image"
UNREADABLE_LABEL = "unreadable label"
TOO_SMALL = "too small"
TURNED = "turned image"
SIZE_MISMATCH = "size mismatch"
UNKNOWN_VALUES = "unknown values"
MOST_VALUES = 64

# An id, or the red, green and blue of a colour.
LabelValue = int | tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault that makes a file unusable for training.

    Attributes:
        kind: One of the constants of this module.
        file: The faulty file.
        message: The error message of reading the file.
        cause: The message without paths and numbers, equal for files with the same fault.
    """

    kind: str
    file: pathlib.Path
    message: str
    cause: str

    def to_json(self) -> dict[str, str]:
        """The fault as plain values."""
        return {"kind": self.kind, "file": str(self.file), "message": self.message}


@dataclasses.dataclass(frozen=True)
class SampleInspection:
    """Contents and faults of an image and its label. Unreadable files have no contents.

    Attributes:
        sample: The two files.
        faults: All faults of the two files.
        size: Height and width of the image in pixels; `None` if it cannot be read.
        image_mode: Pillow's mode of the image, such as RGB or L; `None` if it cannot be read.
        label_mode: Pillow's mode of the label; `None` if it cannot be read.
        class_pixels: Number of label pixels of each class, `(num_classes,)` int64.
        ignored_pixels: Number of ignored pixels in the label.
        unknown_pixels: Number of pixels with values that the label must not hold.
        unknown: Number of pixels of each such value, the most frequent first. At most
            `MOST_VALUES` values, since labels stored with loss can have any number of them.
    """

    sample: Sample
    faults: tuple[Fault, ...]
    size: tuple[int, int] | None
    image_mode: str | None
    label_mode: str | None
    class_pixels: np.ndarray
    ignored_pixels: int
    unknown_pixels: int
    unknown: dict[LabelValue, int]

    @property
    def ignored_share(self) -> float | None:
        """Share of ignored pixels in the label; `None` if the label cannot be read."""
        pixels = int(np.sum(self.class_pixels)) + self.ignored_pixels + self.unknown_pixels
        return self.ignored_pixels / pixels if pixels else None


def inspect_sample(sample: Sample, source: SegmentationSource) -> SampleInspection:
    """Decodes an image and its label once; every error of `check_samples` becomes a fault."""
    faults, image, label, size, decoded = [], None, None, None, None
    pixels, unknown = np.zeros(256, np.int64), {}

    kind = UNREADABLE_IMAGE if sample.image.is_file() else MISSING_IMAGE
    noting = functools.partial(_noting, faults, sample)
    with noting(kind, sample.image):
        image = load_image(sample.image, source)
    kind = UNREADABLE_LABEL if sample.label.is_file() else MISSING_LABEL
    with noting(kind, sample.label):
        sample.check_label()
        label = load_label(sample.label, source)
    if image is not None:
        size = (image.pixels.height, image.pixels.width)
        with noting(TURNED, sample.image):
            check_upright(image, sample.image)
        with noting(TOO_SMALL, sample.image):
            check_smallest(sample, *size)
    if label is not None:
        with noting(UNREADABLE_LABEL, sample.label):
            decoded = decode_label(label.pixels, label.encoding, sample.label, source)
    if decoded is not None:
        pixels = np.bincount(decoded.train_ids.ravel(), minlength=256)
        unknown = _count(decoded.unknown)
        with noting(UNKNOWN_VALUES, sample.label):
            decoded.check(sample.label, source)
    if image is not None and label is not None:
        with noting(SIZE_MISMATCH, sample.label):
            check_equal_sizes(sample, image, label)
    return SampleInspection(
        sample=sample,
        faults=tuple(faults),
        size=size,
        image_mode=image and image.pixels.mode,
        # A label whose ids cannot be decoded counts as unreadable.
        label_mode=label.pixels.mode if label is not None and decoded is not None else None,
        class_pixels=pixels[: source.num_classes],
        ignored_pixels=int(pixels[source.ignore_label]),
        unknown_pixels=int(pixels[NOT_ALLOWED]),
        unknown=unknown,
    )


@contextlib.contextmanager
def _noting(faults: list[Fault], sample: Sample, kind: str, file: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        cause = str(error)
        for path in (sample.image, sample.label):
            cause = cause.replace(str(path), "FILE")
        faults.append(Fault(kind, file, str(error), re.sub(r"\d+", "0", cause)))


def _count(values: np.ndarray) -> dict[LabelValue, int]:
    """Counts each of the ids `(pixels,)` or colours `(pixels, 3)`, as in `unknown`."""
    is_color = values.ndim > 1
    # One number per colour: sorting rows is far slower.
    codes = values @ np.array([1 << 16, 1 << 8, 1]) if is_color else values
    distinct, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    keys = distinct[order].tolist()
    if is_color:
        keys = [tuple(code.to_bytes(3, "big")) for code in keys]
    return dict(zip(keys, counts[order].tolist(), strict=True))
