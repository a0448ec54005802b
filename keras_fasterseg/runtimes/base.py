"""What every runtime offers: bytes of images in, class ids out, the same for all of them."""

import abc

import numpy as np

from keras_fasterseg.runtimes.serving_graph import MINIMUM_SIZE


class Runner(abc.ABC):
    """A network in one runtime, ready to be evaluated, timed or asked.

    Calls take and return host memory, so that a result that came back is a result that is finished.
    A subclass implements `load`, `_class_ids`, `_logits` and `describe`; `load` must be harmless
    when it is called again.
    """

    @abc.abstractmethod
    def load(self) -> None:
        """Reads, compiles or traces what the first call would otherwise have to wait for."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The class of every pixel.

        Args:
            images: uint8 RGB images of shape `(batch, height, width, 3)`, sizes at least 32.

        Returns:
            uint8 class ids of shape `(batch, height, width)`.

        Raises:
            ValueError: The images have another dtype or shape or are too small.
        """
        check_images(images)
        self.load()
        return self._class_ids(images)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The logits behind the class ids.

        Args:
            images: As for `__call__`.

        Returns:
            float32 logits of shape `(batch, height, width, num_classes)`.

        Raises:
            ValueError: The images have another dtype or shape or are too small.
        """
        check_images(images)
        self.load()
        return self._logits(images)

    @abc.abstractmethod
    def synchronize(self) -> None:
        """Returns when the device has finished all work handed to it."""

    @abc.abstractmethod
    def describe(self) -> dict[str, object]:
        """What a number measured here depends on, fit for JSON.

        Returns:
            At least `runtime`, `version`, `precision`, `threads` and `device`.
        """

    @abc.abstractmethod
    def _class_ids(self, images: np.ndarray) -> np.ndarray:
        """`__call__` after the images were checked and the network was loaded."""

    @abc.abstractmethod
    def _logits(self, images: np.ndarray) -> np.ndarray:
        """`logits` after the images were checked and the network was loaded."""


def check_images(images: np.ndarray) -> None:
    """Raises ValueError unless `images` is uint8 `(batch, height, width, 3)`, sizes at least 32."""
    dtype, shape = getattr(images, "dtype", type(images).__name__), np.shape(images)
    if dtype != np.uint8 or len(shape) != 4 or shape[0] < 1 or shape[3] != 3:
        raise ValueError(
            "Images must be a uint8 array of shape (batch, height, width, 3), not normalised. "
            f"Received: dtype {dtype}, shape {shape}"
        )
    if min(shape[1:3]) < MINIMUM_SIZE:
        raise ValueError(
            f"Height and width of the images must be at least {MINIMUM_SIZE}. "
            f"Received: shape {shape}"
        )
