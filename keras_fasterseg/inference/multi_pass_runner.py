"""A runner that looks at every image several times: scaled, mirrored, window by window."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.inference.windows import window_starts
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS

Size = tuple[int, int]


class MultiPassRunner(Runner):
    """Averages the class probabilities that a runner finds in several passes over an image.

    A pass scales the image, mirrors it or not, and asks for logits: of the whole image, or of
    windows that cover it, where windows overlap their mean. The logits are brought back to the
    image's size; the mean of their softmax over all passes is what counts. `logits` returns its
    logarithm, whose softmax are the probabilities again.

    Args:
        runner: Gives logits, of images of any size unless windows have the one size it takes.
        scales: Factors of height and width, one pass each.
        flip: Whether there is a second pass for every scale, over the mirrored image.
        window: Height and width of the windows; None asks for whole images. Where a scaled image
            is smaller, the window is as well.
        window_overlap: Share of a window that it has in common with the next one, at least.

    Raises:
        ValueError: The runner has no logits, or an argument is out of its range.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
        window: Size | None = None,
        window_overlap: float = 1 / 3,
    ) -> None:
        if not scales or min(scales) <= 0:
            raise ValueError(f"`scales` must be one or more factors above 0. Received: {scales}")
        if window is not None and (len(window) != 2 or min(window) < 1):
            raise ValueError(f"`window` must be height and width. Received: window={window}")
        if not 0 <= window_overlap < 1:
            raise ValueError(
                f"`window_overlap` must be in [0, 1). Received: window_overlap={window_overlap}"
            )
        if LOGITS not in runner.outputs:
            raise ValueError(
                "Scales, mirrored images and windows are averaged from logits, which the artefact "
                "does not give; export it again with --output=both."
            )
        self._runner = runner
        self._scales = tuple(float(scale) for scale in scales)
        self._flip = flip
        self._window = window
        self._window_overlap = window_overlap

    @property
    def metadata(self) -> dict[str, Any]:
        return self._runner.metadata

    @property
    def batch_size(self) -> int | None:
        return self._runner.batch_size

    def load(self) -> None:
        self._runner.load()

    def synchronize(self) -> None:
        self._runner.synchronize()

    def describe(self) -> dict[str, object]:
        """What the runner inside says, and under `passes` how it is asked."""
        passes: dict[str, object] = {"scales": list(self._scales), "flip": self._flip}
        if self._window is not None:
            passes |= {"window": list(self._window), "window_overlap": self._window_overlap}
        return {**self._runner.describe(), "passes": passes}

    def _infer(self, images: np.ndarray, output: str) -> Any:
        probabilities = self._probabilities(images)
        if output == CLASS_IDS:
            return probabilities.argmax(axis=-1).astype(np.uint8)
        # No class is impossible: the logarithm of 0 would be no number to go on with.
        return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))

    def _fetch(self, handle: Any) -> np.ndarray:
        return handle

    def _probabilities(self, images: np.ndarray) -> np.ndarray:
        """Mean softmax of all passes, float32 `(batch, height, width, classes)`."""
        size = images.shape[1:3]
        total: Any = 0.0
        for scale in self._scales:
            scaled = _scaled(images, scale)
            for step in (1, -1) if self._flip else (1,):
                logits = _resized(self._logits(scaled[:, :, ::step]), size)
                total += tf.nn.softmax(logits).numpy()[:, :, ::step]
        total /= len(self._scales) * (1 + self._flip)
        return total

    def _logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of a scaled image, whole or of windows, of the scaled image's size."""
        height, width = images.shape[1:3]
        window = self._window or (height, width)
        window = (min(window[0], height), min(window[1], width))
        self._check_window(window)
        if window == (height, width):
            return self._runner.logits(np.ascontiguousarray(images))
        total: Any = None
        counts = np.zeros((height, width, 1), np.float32)
        starts = (
            window_starts(side, part, self._window_overlap)
            for side, part in zip((height, width), window, strict=True)
        )
        for top, left in itertools.product(*starts):
            rows, columns = slice(top, top + window[0]), slice(left, left + window[1])
            logits = self._runner.logits(np.ascontiguousarray(images[:, rows, columns]))
            if total is None:
                total = np.zeros((len(images), height, width, logits.shape[-1]), np.float32)
            total[:, rows, columns] += logits
            counts[rows, columns] += 1
        return total / counts

    def _check_window(self, window: Size) -> None:
        expected = self._runner.input_size
        if expected is not None and expected != window:
            taken, asked = (f"{height}x{width}" for height, width in (expected, window))
            raise ValueError(
                f"The artefact takes images of {taken}, and a pass would give it {asked}; set "
                f"--window={taken} with scales at which no image is smaller, or export it without "
                "--input_size."
            )


def _scaled(images: np.ndarray, scale: float) -> np.ndarray:
    """The images at `scale`, as training scales them, uint8."""
    size = tuple(max(1, round(side * scale)) for side in images.shape[1:3])
    if size == images.shape[1:3]:
        return images
    # A mean of bytes never leaves their range.
    return np.rint(tf.image.resize(images, size, method="bilinear").numpy()).astype(np.uint8)


def _resized(logits: np.ndarray, size: Sequence[int]) -> Any:
    """The logits at `size`, the way back from `_scaled`: pixels are centred as there."""
    if logits.shape[1:3] == tuple(size):
        return logits
    return tf.image.resize(logits, size, method="bilinear")
