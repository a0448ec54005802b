"""Reading of one image and its label, with errors that name the file.

Pillow and not `tf.io.decode_png`: its errors can be turned into one sentence about one file, it
reads palette PNGs as the ids they hold, and it releases the interpreter lock while it decodes, so
that several threads of a `tf.data` pipeline do run at once.
"""

import dataclasses
import pathlib
import struct

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import NOT_ALLOWED, Sample, SegmentationSource

_IMAGE_MODES = ("RGB", "RGBA", "L", "LA", "P")
_ID_MODES = ("L", "P")


def read_sample(
    sample: Sample, source: SegmentationSource, *, downsample: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Reads an image and its label.

    Args:
        sample: The two files.
        source: Says what the values in the label file mean.
        downsample: Height and width are divided by it and rounded down: the image with an
            antialiased bilinear filter, the label by its nearest value.

    Returns:
        The image `(height, width, 3)` and the train ids `(height, width)`, both uint8.

    Raises:
        DataError: A file is missing, unreadable or truncated, the two differ in size, the label
            holds an id or a colour that the data set does not have, or the image is stored turned.
        ValueError: `downsample` is below 1 or above the size of the image.
    """
    image = load_image(sample.image)
    check_upright(image, sample.image)
    image = image.convert("RGB")
    label = load_label(sample.label, source)
    check_equal_sizes(sample, image, label)
    train_ids = _train_ids(label, sample.label, source)
    return downsampled(image, train_ids, downsample, sample.image)


def downsampled(
    image: Image.Image, train_ids: np.ndarray, downsample: int, path: pathlib.Path
) -> tuple[np.ndarray, np.ndarray]:
    """An image and its train ids made smaller, as `read_sample` tells; `path` is for the error.

    Raises:
        ValueError: `downsample` is below 1 or above the size of the image.
    """
    if downsample == 1:
        return np.asarray(image), train_ids
    size = (image.width // downsample, image.height // downsample) if downsample > 1 else (0, 0)
    if min(size) < 1:
        raise ValueError(
            f"downsample must lie between 1 and the size of the image, received {downsample} for "
            f"{path} of {_size(image)}."
        )
    image = image.resize(size, Image.Resampling.BILINEAR)
    label = Image.fromarray(train_ids).resize(size, Image.Resampling.NEAREST)
    return np.asarray(image), np.asarray(label)


def read_image(path: pathlib.Path) -> np.ndarray:
    """The RGB image `(height, width, 3)` uint8 in the file `path`, upright as viewers show it.

    Grey becomes three equal channels, a palette its colours, and transparency is dropped: what
    counts is the colour that lies below it.

    Raises:
        DataError: The file is missing, unreadable or truncated, or has other pixels than 8 bits of
            grey or RGB.
    """
    image = _load(path, _IMAGE_MODES)
    if _is_turned(image):
        # Pillow would also write the EXIF anew, which it cannot do with that of every camera.
        image.info.clear()
        image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert("RGB"))


def read_label(path: pathlib.Path, source: SegmentationSource) -> np.ndarray:
    """The train ids `(height, width)` uint8 in the label file `path`; errors as `read_sample`."""
    return _train_ids(load_label(path, source), path, source)


def read_size(path: pathlib.Path) -> tuple[int, int]:
    """Height and width of the image at `path`, from its header alone.

    Raises:
        DataError: The file is missing or no image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def load_image(path: pathlib.Path) -> Image.Image:
    """The decoded image of a sample in the file `path`, in the mode in which it is stored.

    Raises:
        DataError: The file is missing, unreadable or truncated, or its mode is none of an image.
    """
    return _load(path, _IMAGE_MODES)


def load_label(path: pathlib.Path, source: SegmentationSource) -> Image.Image:
    """The decoded label of a sample in the file `path`: ids, or colours where `source` has such.

    Raises:
        DataError: The file is missing, unreadable or truncated, or its mode is none of a label.
    """
    return _load(path, _ID_MODES if source.label_colors is None else _IMAGE_MODES)


def check_upright(image: Image.Image, path: pathlib.Path) -> None:
    """Raises `DataError` if viewers turn or mirror the image of a sample, by its EXIF."""
    # Labelling tools differ: some show the image turned, some as it is stored.
    if _is_turned(image):
        raise DataError(
            f"{path} is stored turned (its EXIF orientation is not 1), and whether its label is "
            "turned too is not known; store the pixels as the label shows them, without that tag."
        )


def check_equal_sizes(sample: Sample, image: Image.Image, label: Image.Image) -> None:
    """Raises `DataError` unless an image and its label are of one size."""
    if image.size != label.size:
        raise DataError(
            f"The label {sample.label} is {_size(label)} (height x width), but its image "
            f"{sample.image} is {_size(image)}."
        )


@dataclasses.dataclass(frozen=True)
class DecodedLabel:
    """What a label file says.

    Attributes:
        train_ids: `(height, width)` uint8; `NOT_ALLOWED` where the data set has no such id or
            colour.
        unknown: What the file holds at these pixels, in their order: ids `(pixels,)`, or RGB
            colours `(pixels, 3)`, uint8.
    """

    train_ids: np.ndarray
    unknown: np.ndarray

    def check(self, path: pathlib.Path, source: SegmentationSource) -> None:
        """Raises `DataError` if there is an unknown value; the message names the first."""
        if not len(self.unknown):
            return
        first = self.unknown[0]
        if first.ndim:
            raise DataError(
                f"The label {path} holds the colour {tuple(first.tolist())}, which stands for no "
                "class of this data set; labels must be stored without loss."
            )
        allowed = np.flatnonzero(source.label_lookup != NOT_ALLOWED)
        raise DataError(
            f"The label {path} holds the id {first}, which {source.name} does not have (its ids: "
            f"{_ranges(allowed)})."
        )


def decode_label(label: Image.Image, source: SegmentationSource) -> DecodedLabel:
    """The train ids of a label, and which of its values `source` does not know."""
    if source.label_colors is None:
        values = np.asarray(label)
        train_ids = np.take(source.label_lookup, values)
    else:
        values = np.asarray(label.convert("RGB"))
        rows, is_known = _rows_of_colors(values, source.label_colors)
        train_ids = np.where(is_known, source.label_lookup[rows], np.uint8(NOT_ALLOWED))
    return DecodedLabel(train_ids, values[train_ids == NOT_ALLOWED])


def _load(path: pathlib.Path, modes: tuple[str, ...]) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
    # Pillow raises SyntaxError for broken PNG chunks and ValueError for some broken headers.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error
    if image.mode not in modes:
        kind = "RGB" if "RGB" in modes else "one channel"
        raise DataError(
            f"{path} has pixels of Pillow's mode {image.mode!r}, expected one of "
            f"{', '.join(modes)}; convert it to an image of {kind} with 8 bits."
        )
    return image


def _is_turned(image: Image.Image) -> bool:
    """Whether viewers turn or mirror the image, by its EXIF orientation."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, KeyError, TypeError, struct.error):
        # Viewers show an image whose EXIF is damaged as it is stored.
        return False
    return orientation in range(2, 9)


def _unreadable(path: pathlib.Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"There is no file {path}.")
    if isinstance(error, UnidentifiedImageError):
        return DataError(f"{path} is not an image that can be read; replace the file.")
    return DataError(f"{path} is damaged or cannot be read ({error}); replace the file.")


def _train_ids(label: Image.Image, path: pathlib.Path, source: SegmentationSource) -> np.ndarray:
    decoded = decode_label(label, source)
    decoded.check(path, source)
    return decoded.train_ids


def _rows_of_colors(pixels: np.ndarray, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For `pixels` `(height, width, 3)`: the rows of `colors` that they are, and whether they are.

    The row of a colour that is not there is any.
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
    """`[0, 1, 2, 5]` as `0-2, 5`."""
    breaks = np.flatnonzero(np.diff(values) != 1) + 1
    runs = np.split(values, breaks)
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _size(image: Image.Image) -> str:
    return f"{image.height} x {image.width}"
