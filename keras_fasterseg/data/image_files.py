"""Reading of one image and its label, with errors that name the file.

Pillow and not `tf.io.decode_png`: its errors can be turned into one sentence about one file, it
reads palette PNGs as the ids they hold, and it releases the interpreter lock while it decodes, so
that several threads of a `tf.data` pipeline do run at once.
"""

import pathlib

import numpy as np
from PIL import Image, UnidentifiedImageError

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
        DataError: A file is missing, unreadable or truncated, the two differ in size, or the
            label holds an id or a colour that the data set does not have.
        ValueError: `downsample` is below 1 or above the size of the image.
    """
    image = _load(sample.image, _IMAGE_MODES).convert("RGB")
    label = _load(sample.label, _ID_MODES if source.label_colors is None else _IMAGE_MODES)
    if image.size != label.size:
        raise DataError(
            f"The label {sample.label} is {_size(label)} (height x width), but its image "
            f"{sample.image} is {_size(image)}."
        )
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
    """The RGB image `(height, width, 3)` uint8 in the file `path`.

    Raises:
        DataError: The file is missing, unreadable or truncated.
    """
    return np.asarray(_load(path, _IMAGE_MODES).convert("RGB"))


def read_label(path: pathlib.Path, source: SegmentationSource) -> np.ndarray:
    """The train ids `(height, width)` uint8 in the label file `path`; errors as `read_sample`."""
    modes = _ID_MODES if source.label_colors is None else _IMAGE_MODES
    return _train_ids(_load(path, modes), path, source)


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


def _load(path: pathlib.Path, modes: tuple[str, ...]) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
    # Pillow raises SyntaxError for broken PNG chunks and ValueError for some broken headers.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error
    if image.mode not in modes:
        raise DataError(
            f"{path} has pixels of Pillow's mode {image.mode!r}, expected one of "
            f"{', '.join(modes)}; convert it to an 8-bit image."
        )
    return image


def _unreadable(path: pathlib.Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"There is no file {path}.")
    if isinstance(error, UnidentifiedImageError):
        return DataError(f"{path} is not an image that can be read; replace the file.")
    return DataError(f"{path} is damaged or cannot be read ({error}); replace the file.")


def _train_ids(label: Image.Image, path: pathlib.Path, source: SegmentationSource) -> np.ndarray:
    if source.label_colors is None:
        raw_ids = np.asarray(label)
    else:
        raw_ids = _ids_of_colors(np.asarray(label.convert("RGB")), path, source.label_colors)
    train_ids = np.take(source.label_lookup, raw_ids)
    wrong = train_ids == NOT_ALLOWED
    if wrong.any():
        allowed = np.flatnonzero(source.label_lookup != NOT_ALLOWED)
        raise DataError(
            f"The label {path} holds the id {raw_ids[wrong][0]}, which {source.name} does not "
            f"have (its ids: {_ranges(allowed)})."
        )
    return train_ids


def _ids_of_colors(pixels: np.ndarray, path: pathlib.Path, label_colors: np.ndarray) -> np.ndarray:
    """Rows of `label_colors` `(num_ids, 3)` that `pixels` `(height, width, 3)` are, as uint8."""
    codes = _color_codes(pixels)
    colors = _color_codes(label_colors)
    order = np.argsort(colors)
    position = np.minimum(np.searchsorted(colors[order], codes), len(colors) - 1)
    ids = order[position]
    wrong = colors[ids] != codes
    if wrong.any():
        color = tuple(int(value) for value in pixels[wrong][0])
        raise DataError(
            f"The label {path} holds the colour {color}, which stands for no class of this data "
            "set; labels must be stored without loss."
        )
    return ids.astype(np.uint8)


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
