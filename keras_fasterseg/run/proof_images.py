"""Images for an export's proof or calibration."""

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.data.streets.scene import draw_scene
from keras_fasterseg.export.proving import ProofImage
from keras_fasterseg.run.datasets import evenly_spaced
from keras_fasterseg.runtimes.signature import MINIMUM_SIZE
from keras_fasterseg.setting import Size

DRAWN_SIZE = (256, 512)

MAXIMUM_STRETCH = 1.1
"""Largest change of an image's aspect ratio, as a factor, that causes no warning."""

# The network in float32 needs about 2 GB for an image of this size.
_NATIVE_PIXELS = 2**23


def labelled_images(
    source: SegmentationSource, split: str, count: int, size: Size | None = None
) -> Iterator[ProofImage]:
    """Yields evenly spaced images of a split with their labels; neighbours are often alike.

    Args:
        source: The data set.
        split: Name of the split.
        count: Number of images; a smaller split yields all of its images.
        size: Height and width to resize images and labels to; None keeps their size.

    Raises:
        DataError: A file is missing or faulty; the message names it.
    """
    for sample in evenly_spaced(source.samples(split), count):
        image, labels = source.read(sample)
        is_resized = size is not None and image.shape[:2] != tuple(size)
        height, width = image.shape[:2]
        fits = min(height, width) >= MINIMUM_SIZE and height * width <= _NATIVE_PIXELS
        yield ProofImage(
            sample.image.name,
            _resized(image, size, Image.Resampling.BILINEAR),
            _resized(labels, size),
            native=(image, labels) if is_resized and fits else None,
            is_resized=is_resized,
        )


def drawn_images(count: int, size: Size | None = None) -> Iterator[ProofImage]:
    """Yields drawn street scenes without labels, always the same ones.

    Args:
        count: Number of scenes.
        size: Height and width. Default: 256 x 512.
    """
    for index in range(count):
        image, _, _ = draw_scene(np.random.default_rng(index), index, *(size or DRAWN_SIZE))
        yield ProofImage(f"scene {index}", image)


def stretch_warning(source: SegmentationSource, split: str, size: Size, count: int) -> str | None:
    """Returns a warning if resizing to `size` changes the aspect ratio of images by over 10 %.

    Args:
        source: The data set.
        split: Name of the split.
        size: Height and width that the images are resized to.
        count: Number of images checked; their median aspect ratio counts.
    """
    sizes = [source.read_size(sample) for sample in evenly_spaced(source.samples(split), count)]
    sizes.sort(key=lambda each: each[1] / each[0])
    height, width = sizes[len(sizes) // 2]
    stretch = (size[1] / size[0]) / (width / height)
    if 1 / MAXIMUM_STRETCH <= stretch <= MAXIMUM_STRETCH:
        return None
    swapped = ", as if height and width were swapped" * (
        abs(math.log(size[0] / size[1] / (width / height))) < math.log(MAXIMUM_STRETCH)
    )
    return (
        f"--input_size={size[0]}x{size[1]} (height x width) makes images of {source.name} {split} "
        f"(typically {height}x{width}) {max(stretch, 1 / stretch):.2f} times as "
        f"{'wide' if stretch > 1 else 'high'} as they are{swapped}. The network was not trained on "
        "such images. Choose a size with their aspect ratio."
    )


def _resized(
    array: np.ndarray, size: Size | None, resampling: Image.Resampling = Image.Resampling.NEAREST
) -> np.ndarray:
    if size is None or array.shape[:2] == tuple(size):
        return array
    return np.asarray(Image.fromarray(array).resize((size[1], size[0]), resampling))
