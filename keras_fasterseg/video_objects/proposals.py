"""Objects that a network proposes in one frame."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
from PIL import Image

from keras_fasterseg.video_objects.regions import paste_regions

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Proposals:
    """Objects of one frame, and the map from which the embedding of any mask is computed.

    Attributes:
        scores: `(objects,)`, in [0, 1].
        masks: Probabilities `(objects, height, width)` at the size of the frame, float32.
        embeddings: `(objects, channels)`, of length 1, or zero under an empty mask.
        embedding_map: `(rows, columns, channels)`.
        canvas: Height and width of the frame with the border that the network saw, in pixels of
            the frame; None without a border.
    """

    scores: np.ndarray
    masks: np.ndarray
    embeddings: np.ndarray
    embedding_map: np.ndarray
    canvas: Size | None = None

    @classmethod
    def of_outputs(
        cls,
        outputs: Mapping[str, np.ndarray],
        network_size: Size,
        frame_size: Size,
        least_score: float,
    ) -> Self:
        """Proposals from a network's outputs for a batch of one.

        They are sorted by their boxes and scores: their order carries no information, and nothing
        after this depends on it.

        Args:
            outputs: See `ObjectNetwork`.
            network_size: Height and width of the network's images.
            frame_size: Height and width of the frame.
            least_score: Proposals with a smaller score are left out.
        """
        scores, boxes = outputs["scores"][0], outputs["boxes"][0]
        order = np.lexsort((scores, *boxes.T))
        order = order[scores[order] >= least_score]
        factor = fitting_factor(network_size, frame_size)
        masks = paste_regions(
            outputs["masks"][:, order],
            boxes[None, order] * np.float32(factor),
            frame_size,
            array=np,
        )[0]
        return cls(
            scores[order],
            np.asarray(masks, np.float32),
            outputs["embeddings"][0][order],
            outputs["embedding_map"][0],
            (round(factor * network_size[0]), round(factor * network_size[1])),
        )

    def embedding_of(self, mask: np.ndarray) -> np.ndarray:
        """L2-normalised mean of the embedding map under a mask `(height, width)`; zero if empty."""
        rows, columns, channels = self.embedding_map.shape
        # The box filter is the mean over a cell, and repeats pixels of a frame below its size.
        canvas = np.zeros(self.canvas or mask.shape, np.float32)
        canvas[: mask.shape[0], : mask.shape[1]] = mask[: canvas.shape[0], : canvas.shape[1]]
        picture = Image.fromarray(canvas)
        weights = np.asarray(picture.resize((columns, rows), Image.Resampling.BOX))
        total = weights.reshape(-1) @ self.embedding_map.reshape(-1, channels)
        return total / max(float(np.linalg.norm(total)), 1e-6)


def fitting_factor(network_size: Size, frame_size: Size) -> float:
    """Pixels of the frame per pixel of the network's image, so that the frame just fits into it."""
    return max(frame / side for frame, side in zip(frame_size, network_size, strict=True))


Propose = Callable[[np.ndarray], Proposals]
"""Finds the objects of a frame, uint8 RGB `(height, width, 3)`; such as an `ObjectRunner`."""
