"""Images that an export is compared, or calibrated, on."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.data.streets.scene import draw_scene
from keras_fasterseg.pipelines.datasets import evenly_spaced
from keras_fasterseg.pipelines.settings import Size

DRAWN_SIZE = (256, 512)


def labelled_images(
    source: SegmentationSource, split: str, count: int, size: Size | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images of a split and their labels, evenly spaced: neighbours are often alike.

    Args:
        source: The data set.
        split: Its split.
        count: How many; all of a smaller split.
        size: Height and width that both are resized to; None leaves them as they are.

    Returns:
        Images `(height, width, 3)` and train ids `(height, width)`, both uint8.

    Raises:
        DataError: A file is missing or faulty; the message names it.
    """
    for sample in evenly_spaced(source.samples(split), count):
        image, labels = source.read(sample)
        yield _resized(image, size, Image.Resampling.BILINEAR), _resized(labels, size)


def drawn_images(count: int, size: Size | None = None) -> Iterator[tuple[np.ndarray, None]]:
    """Drawn street scenes, the same ones every time, without labels.

    Args:
        count: How many.
        size: Height and width; None takes 256 x 512.
    """
    for index in range(count):
        image, _, _ = draw_scene(np.random.default_rng(index), index, *(size or DRAWN_SIZE))
        yield image, None


def _resized(
    array: np.ndarray, size: Size | None, resampling: Image.Resampling = Image.Resampling.NEAREST
) -> np.ndarray:
    if size is None or array.shape[:2] == tuple(size):
        return array
    return np.asarray(Image.fromarray(array).resize((size[1], size[0]), resampling))
