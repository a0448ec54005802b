"""Class ids of images of any size, whatever size the network was exported for."""

import time
from collections.abc import Sequence

import numpy as np
from absl import logging
from PIL import Image

from keras_fasterseg.runtimes.base import Runner, class_ids_of


class Predictor:
    """Calls a runner for one image after the other, and keeps the time that it takes.

    A network that was exported for one size gets the image resized to it, bilinearly, and its class
    ids are resized back by the nearest. A network for batches gets the same image so many times.

    Args:
        runner: The network.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._shapes: set[tuple[int, ...]] = set()
        self._seconds: list[float] = []

    @property
    def seconds(self) -> Sequence[float]:
        """How long each call took, from uint8 images to class ids, both in host memory.

        The first call of each size is left out: many runtimes compile or allocate in it.
        """
        return tuple(self._seconds)

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Height and width of the images that the network was given, sorted."""
        return tuple(sorted(shape[1:3] for shape in self._shapes))

    def load(self) -> None:
        """Loads the network, and says what happens to images of another size than it takes."""
        self.runner.load()
        size, batch_size = self.runner.input_size, self.runner.batch_size
        if size is not None:
            logging.info(
                "The network was exported for images of %dx%d: others are resized to that, and "
                "their class ids back.",
                *size,
            )
        if batch_size not in (None, 1):
            logging.info(
                "The network was exported for batches of %d: it computes every image so often.",
                batch_size,
            )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The class of every pixel.

        Args:
            images: uint8 RGB of shape `(1, height, width, 3)`.

        Returns:
            uint8 class ids of shape `(1, height, width)`.

        Raises:
            ValueError: The image has another dtype or shape, or is smaller than the network takes.
        """
        if np.ndim(images) != 4 or len(images) != 1:
            raise ValueError(f"Predict one image at a time. Received: shape {np.shape(images)}")
        original = images.shape[1:3]
        size = self.runner.input_size or original
        if size != original and images.dtype == np.uint8:
            images = _resized(images[0], size, Image.Resampling.BILINEAR)[np.newaxis]
        images = np.repeat(images, self.runner.batch_size or 1, axis=0)
        started = time.perf_counter()
        class_ids = class_ids_of(self.runner, images)
        seconds = time.perf_counter() - started
        if images.shape in self._shapes:
            self._seconds.append(seconds)
        self._shapes.add(images.shape)
        if size != original:
            return _resized(class_ids[0], original, Image.Resampling.NEAREST)[np.newaxis]
        return class_ids[:1]


def _resized(array: np.ndarray, size: tuple[int, ...], resampling: Image.Resampling) -> np.ndarray:
    height, width = size
    return np.asarray(Image.fromarray(array).resize((width, height), resampling))
