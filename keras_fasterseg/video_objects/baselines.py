"""Followers of objects that cost nothing to train, to compare a tracker with."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from keras_fasterseg.video_objects.davis import BACKGROUND, VOID
from keras_fasterseg.video_objects.object_runner import ObjectRunner
from keras_fasterseg.video_objects.proposals import Proposals, fitting_factor


def first_mask_copied(frames: Sequence[np.ndarray], first_mask: np.ndarray) -> list[np.ndarray]:
    """The mask of the first frame for every frame."""
    ids = np.where(first_mask == VOID, BACKGROUND, first_mask).astype(np.uint8)
    return [ids for _ in frames]


class ComponentRunner:
    """Proposals from a plain segmentation of each frame: connected components of the foreground.

    They have no embeddings; use it with a tracker that compares masks alone.

    Args:
        runner: The network; only its foreground, at 1/8, is used.
    """

    def __init__(self, runner: ObjectRunner) -> None:
        self._runner = runner

    def __call__(self, frame: np.ndarray) -> Proposals:
        """Proposals for a frame, uint8 RGB `(height, width, 3)`."""
        foreground = self._runner.infer(self._runner.resized(frame)[None])["foreground"][0]
        height, width = frame.shape[:2]
        size = self._runner.network_size
        factor = fitting_factor(size, (height, width))
        canvas = max(height, round(factor * size[0])), max(width, round(factor * size[1]))
        picture = Image.fromarray(np.asarray(foreground, np.float32))
        fitted = picture.resize((canvas[1], canvas[0]), Image.Resampling.BILINEAR)
        probability = np.asarray(fitted)[:height, :width]
        found: tuple[np.ndarray, int] = ndimage.label(probability >= 0.5)  # pyright: ignore[reportAssignmentType]
        labels, count = found
        masks = [np.where(labels == number + 1, probability, 0.0) for number in range(count)]
        empty = np.zeros((0, height, width), np.float32)
        return Proposals(
            np.ones(count, np.float32),
            np.stack(masks).astype(np.float32) if masks else empty,
            np.zeros((count, 1), np.float32),
            np.zeros((1, 1, 1), np.float32),
        )
