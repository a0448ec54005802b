"""Predicts class ids for images of any size, even if the network has a fixed input size."""

import time
from collections.abc import Sequence

import numpy as np
from absl import logging
from PIL import Image

from keras_fasterseg.image_normalization import IMAGENET_MEAN
from keras_fasterseg.runtimes.base import Runner, class_ids_of

# Maximum change of proportions at which an image is resized without padding.
_LEAST_CHANGE = 1.1


class Predictor:
    """Runs a network on one image after another, and records the times.

    For a network exported for one size, the image is resized bilinearly to that size, and the class
    ids are resized back by nearest neighbour. If that would change the proportions by more than
    10 %, the image keeps its proportions and is padded below or to the right with the mean colour,
    as in the exported graph: networks know image edges from training, but not stretched objects. A
    network for fixed batches gets the same image repeated.

    Args:
        runner: The network.
        stretch: Whether to resize images to the full input size at any proportions, for a network
            trained on such images.
    """

    def __init__(self, runner: Runner, *, stretch: bool = False) -> None:
        self.runner = runner
        self._stretch = stretch
        self._told: set[tuple[int, ...]] = set()
        self._shapes: set[tuple[int, ...]] = set()
        self._seconds: list[float] = []

    @property
    def seconds(self) -> Sequence[float]:
        """Seconds per call, from uint8 images to class ids, both in host memory.

        Excludes the first call of each size, in which many runtimes compile or allocate.
        """
        return tuple(self._seconds)

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Heights and widths of the images passed to the network, sorted."""
        return tuple(sorted(shape[1:3] for shape in self._shapes))

    def load(self) -> None:
        """Loads the network, and logs what happens to images of other sizes."""
        self.runner.load()
        size, batch_size = self.runner.input_size, self.runner.batch_size
        if size is not None:
            logging.info(
                "The network was exported for images of %dx%d: other images are resized, and their "
                "class ids are resized back.",
                *size,
            )
        if batch_size not in (None, 1):
            logging.info(
                "The network was exported for batches of %d: every batch repeats a single image.",
                batch_size,
            )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The class of every pixel.

        Args:
            images: uint8 RGB of shape `(1, height, width, 3)`.

        Returns:
            uint8 class ids of shape `(1, height, width)`.

        Raises:
            ValueError: The image has another dtype or shape, or is smaller than the network allows.
        """
        if np.ndim(images) != 4 or len(images) != 1:
            raise ValueError(f"Predict one image at a time. Received: shape {np.shape(images)}")
        original = images.shape[1:3]
        size = self.runner.input_size or original
        inner = self._fitted(original, size)
        if size != original and images.dtype == np.uint8:
            image = _resized(images[0], inner, Image.Resampling.BILINEAR)
            images = self._padded(image, size)[np.newaxis]
        images = np.repeat(images, self.runner.batch_size or 1, axis=0)
        started = time.perf_counter()
        class_ids = class_ids_of(self.runner, images)
        seconds = time.perf_counter() - started
        if images.shape in self._shapes:
            self._seconds.append(seconds)
        self._shapes.add(images.shape)
        if size != original:
            class_ids = class_ids[0, : inner[0], : inner[1]]
            return _resized(class_ids, original, Image.Resampling.NEAREST)[np.newaxis]
        return class_ids[:1]

    def _fitted(self, original: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
        """The size to which an image is resized, at most the network's input `size`."""
        factors = [side / own for side, own in zip(size, original, strict=True)]
        change = max(factors) / min(factors)
        if change <= _LEAST_CHANGE:
            return size
        inner = tuple(max(1, round(min(factors) * side)) for side in original)
        if self._stretch:
            inner = size
        if original not in self._told:
            self._told.add(original)
            logging.warning(
                "The proportions of %dx%d images differ from the %dx%d that the network was "
                "exported for, by %.0f %%: the images are %s.",
                *original,
                *size,
                100 * (change - 1),
                "stretched because of --stretch"
                if self._stretch
                else f"resized to {inner[0]}x{inner[1]} and padded; export for their proportions",
            )
        return inner

    def _padded(self, image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        if image.shape[:2] == size:
            return image
        mean = self.runner.metadata.get("mean") or IMAGENET_MEAN
        padded = np.empty((*size, 3), np.uint8)
        padded[:] = np.rint(255 * np.asarray(mean))
        padded[: image.shape[0], : image.shape[1]] = image
        return padded


def _resized(array: np.ndarray, size: tuple[int, ...], resampling: Image.Resampling) -> np.ndarray:
    height, width = size
    return np.asarray(Image.fromarray(array).resize((width, height), resampling))
