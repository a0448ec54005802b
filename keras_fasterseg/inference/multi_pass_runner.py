"""A runner that averages several passes per image: scaled, mirrored, window by window."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_fasterseg.inference.windows import window_starts
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS

Size = tuple[int, int]


class MultiPassRunner(Runner):
    """Averages the class probabilities of several passes over an image.

    A pass scales the image, optionally mirrors it, and computes logits, either of the entire image
    or of windows that cover it; overlapping windows are averaged. The logits are resized to the
    image's size, and their softmax is averaged over all passes. `logits` returns the logarithm of
    this average; its softmax gives the probabilities again.

    Args:
        runner: Computes logits for images of any size, or for windows of its fixed size.
        scales: Factors of height and width, one pass each.
        flip: Whether to add a pass over the mirrored image for every scale.
        window: Height and width of the windows; None uses entire images. If a scaled image is
            smaller, the window shrinks to it.
        window_overlap: Minimum share of a window that overlaps the next one, in [0, 1).

    Raises:
        ValueError: The runner has no logits, or an argument is out of range.
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
                "Scales, mirrored images and windows need logits, but the artefact does not output "
                "them; export it again with --output=both."
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
        """Metadata of the inner runner, plus the settings of the passes as `passes`."""
        passes: dict[str, object] = {"scales": list(self._scales), "flip": self._flip}
        if self._window is not None:
            passes |= {"window": list(self._window), "window_overlap": self._window_overlap}
        return {**self._runner.describe(), "passes": passes}

    def _infer(self, images: np.ndarray, output: str) -> Any:
        probabilities = self._probabilities(images)
        if output == CLASS_IDS:
            return probabilities.argmax(axis=-1).astype(np.uint8)
        # Clamped above 0, because the logarithm of 0 is infinite.
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
                total += ops.convert_to_numpy(ops.softmax(logits))[:, :, ::step]
        total /= len(self._scales) * (1 + self._flip)
        return total

    def _logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of scaled images, at their size: of the entire images or of averaged windows."""
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
                f"The artefact needs images of {taken}, but a pass has {asked}; set "
                f"--window={taken} with scales at which no image is smaller, or export it without "
                "--input_size."
            )


def _scaled(images: np.ndarray, scale: float) -> np.ndarray:
    """The images at `scale`, uint8, scaled as in training."""
    size = tuple(max(1, round(side * scale)) for side in images.shape[1:3])
    if size == images.shape[1:3]:
        return images
    # A mean of bytes never leaves their range.
    return np.rint(_resized(images.astype(np.float32), size)).astype(np.uint8)


def _resized(images: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Images or logits at `size`; pixel centres as in training, so enlarging inverts reducing."""
    if images.shape[1:3] == tuple(size):
        return images
    resized = ops.image.resize(images, size, "bilinear", data_format="channels_last")
    return ops.convert_to_numpy(resized)
