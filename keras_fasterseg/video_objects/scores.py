"""Scores of video object segmentation: region similarity J and contour accuracy F.

They are defined as in DAVIS 2017's semi-supervised task, which gives the mask of the first frame:

- J is the intersection over union of an object's mask and its truth.
- F is the harmonic mean of precision and recall of the contour's pixels. A pixel is right if the
  other contour has one within `contour_radius`.
- The objects of a sequence are 1 to the highest id in the truth of its first frame. Objects that
  appear later do not count.
- The first frame, whose mask is given, and the last one do not count, and neither do void pixels.
- A mean is over objects, whatever the number of sequences and frames.

Reference:
    Perazzi et al., A benchmark dataset and evaluation methodology for video object segmentation,
    CVPR 2016. Pont-Tuset et al., The 2017 DAVIS challenge on video object segmentation, arXiv
    1704.00675. The program davis2017-evaluation.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.video_objects.davis import VOID
from keras_fasterseg.wording import text_table

FEWEST_FRAMES = 3
"""Frames of a sequence that can be scored: the first and the last do not count."""

_RADIUS_PER_DIAGONAL = 0.008
_GOOD = 0.5
_QUARTERS = 4
_HEADERS = ("J&F", "J mean", "J recall", "J decay", "F mean", "F recall", "F decay")


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Summary of a score over frames, or its mean over objects.

    Attributes:
        mean: Mean score.
        recall: Share of frames with a score above 0.5.
        decay: Mean score of the first quarter of the frames minus that of the last quarter.
    """

    mean: float
    recall: float
    decay: float

    def to_json(self) -> dict[str, float]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class SequenceScores:
    """J and F of the objects of a sequence.

    Attributes:
        region: J of every object and frame, `(objects, frames)`, without first and last frame. Row
            0 is object 1.
        contour: F, of the same shape.
    """

    region: np.ndarray
    contour: np.ndarray

    @property
    def j_of_objects(self) -> tuple[Statistics, ...]:
        """Statistics of J of every object."""
        return tuple(map(statistics, self.region))

    @property
    def f_of_objects(self) -> tuple[Statistics, ...]:
        """Statistics of F of every object."""
        return tuple(map(statistics, self.contour))


@dataclasses.dataclass(frozen=True)
class VideoScores:
    """J and F of sequences, averaged over all their objects.

    Attributes:
        sequences: Scores of every sequence, by name; at least one.
    """

    sequences: Mapping[str, SequenceScores]

    @property
    def num_objects(self) -> int:
        """Number of objects in all sequences."""
        return sum(len(scores.region) for scores in self.sequences.values())

    @property
    def j(self) -> Statistics:
        """Mean over objects of the statistics of J."""
        return _mean(each for scores in self.sequences.values() for each in scores.j_of_objects)

    @property
    def f(self) -> Statistics:
        """Mean over objects of the statistics of F."""
        return _mean(each for scores in self.sequences.values() for each in scores.f_of_objects)

    @property
    def j_and_f(self) -> float:
        """Mean of the means of J and F: the score that ranks methods."""
        return _j_and_f(self.j, self.f)

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON values, in [0, 1]: of all objects, each sequence and each object."""
        return {
            **_to_json(self.j, self.f),
            "num_objects": self.num_objects,
            "sequences": {
                name: {
                    **_to_json(_mean(scores.j_of_objects), _mean(scores.f_of_objects)),
                    "num_frames": scores.region.shape[1],
                    "objects": {str(number): _to_json(j, f) for number, j, f in _objects(scores)},
                }
                for name, scores in self.sequences.items()
            },
        }

    def table(self) -> str:
        """Formats the scores in percent: rows of each sequence, its objects, and all objects."""
        rows = []
        for name, scores in self.sequences.items():
            rows.append((name, "all", _mean(scores.j_of_objects), _mean(scores.f_of_objects)))
            if len(scores.region) > 1:
                rows.extend((name, str(number), j, f) for number, j, f in _objects(scores))
        rows.append(("all", "all", self.j, self.f))
        return text_table(
            ("sequence", "object", *_HEADERS),
            [(name, number, *_cells(j, f)) for name, number, j, f in rows],
            align="ll",
        )


def region_similarity(mask: np.ndarray, truth: np.ndarray, void: np.ndarray | None = None) -> float:
    """J: intersection over union of two masks; 1 if both are empty.

    Args:
        mask: Predicted pixels of an object, boolean `(height, width)`.
        truth: True pixels, of the same shape.
        void: Pixels that do not count, of the same shape; None counts all.

    Raises:
        ValueError: The shapes differ.
    """
    mask, truth = _without_void(mask, truth, void)
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


def contour_accuracy(mask: np.ndarray, truth: np.ndarray, void: np.ndarray | None = None) -> float:
    """F: harmonic mean of the contour's precision and recall; 1 if neither mask has a contour.

    Args:
        mask: Predicted pixels of an object, boolean `(height, width)`.
        truth: True pixels, of the same shape.
        void: Pixels that belong to neither mask, of the same shape; None has none.

    Raises:
        ValueError: The shapes differ.
    """
    mask, truth = _without_void(mask, truth, void)
    contour, true_contour = boundary_map(mask), boundary_map(truth)
    num, num_true = np.count_nonzero(contour), np.count_nonzero(true_contour)
    if num == 0 or num_true == 0:
        return float(num == num_true)
    # Pixels outside both contours change no count.
    window = _window(contour | true_contour)
    contour, true_contour = contour[window], true_contour[window]
    radius = contour_radius(mask.shape)
    precision = np.count_nonzero(contour & dilate(true_contour, radius)) / num
    recall = np.count_nonzero(true_contour & dilate(contour, radius)) / num_true
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def contour_radius(size: tuple[int, ...]) -> int:
    """Distance in pixels within which contours match, for images of `size` (height, width)."""
    return math.ceil(_RADIUS_PER_DIAGONAL * math.hypot(*size))


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """Contour of a mask, one pixel wide: boolean, of the mask's shape `(height, width)`.

    A pixel belongs to it if it differs from its right, lower or lower right neighbour. Neighbours
    outside the image do not differ. The last pixel never belongs to it.
    """
    contour = np.zeros(mask.shape, bool)
    contour[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    contour[:-1] |= mask[:-1] ^ mask[1:]
    contour[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return contour


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Dilates a boolean mask `(height, width)` with the disk x² + y² <= radius².

    A running sum along each row makes it several times as fast as a distance transform.
    """
    height, width = mask.shape
    # One more column on the left: the sum of no pixel.
    sums = np.zeros((height + 2 * radius, width + 2 * radius + 1), np.int32)
    sums[radius : radius + height, radius + 1 : radius + 1 + width] = mask
    np.cumsum(sums, axis=1, out=sums)
    dilated = np.zeros(mask.shape, bool)
    for offset in range(-radius, radius + 1):
        half = math.isqrt(radius**2 - offset**2)
        rows = sums[radius + offset : radius + offset + height]
        first, last = radius - half, radius + half + 1
        dilated |= rows[:, last : last + width] > rows[:, first : first + width]
    return dilated


def statistics(values: np.ndarray | Sequence[float]) -> Statistics:
    """Mean, recall and decay of the scores `(frames,)` of an object.

    NaN does not count in means, and is not above 0.5. Neighbouring quarters share a frame, as in
    davis2017-evaluation.

    Raises:
        ValueError: There are no values.
    """
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(
            f"`values` must be scores of shape (frames,), at least one. Received: {scores.shape}"
        )
    edges = np.round(np.linspace(1, len(scores), _QUARTERS + 1) + 1e-10).astype(int) - 1
    first, last = scores[: edges[1] + 1], scores[edges[-2] : edges[-1] + 1]
    return Statistics(
        mean=_known_mean(scores),
        recall=float(np.mean(scores > _GOOD)),
        decay=_known_mean(first) - _known_mean(last),
    )


def score_sequence(masks: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> SequenceScores:
    """Scores the masks of a sequence, one per frame.

    Args:
        masks: Predicted ids of every frame, integers `(height, width)`. An object that is missing
            in a frame scores 0 there, unless it is also missing in the truth.
        truths: True ids, of the same shapes; 255 is void.

    Raises:
        ValueError: The numbers of frames or the shapes differ, there are fewer than three frames,
            the first truth has no object, or a scored mask has an id above those of the first
            truth.
    """
    if len(masks) != len(truths) or len(truths) < FEWEST_FRAMES:
        raise ValueError(
            "There must be one mask per truth, and at least three, because the first and the last "
            f"do not count. Received: {len(masks)} masks and {len(truths)} truths"
        )
    num_objects = int(np.max(truths[0], where=truths[0] != VOID, initial=0))
    if num_objects == 0:
        raise ValueError("The truth of the first frame has no object; give one with ids from 1.")
    shape = num_objects, len(truths) - 2
    region, contour = np.zeros(shape), np.zeros(shape)
    pairs = zip(masks[1:-1], truths[1:-1], strict=True)
    for frame, (mask, truth) in enumerate(pairs):
        if np.max(mask, initial=0) > num_objects:
            raise ValueError(
                f"Ids of masks must be at most {num_objects}, the highest in the truth of the "
                f"first frame. Received: {np.max(mask)} in frame {frame + 1} of 0 to "
                f"{len(truths) - 1}"
            )
        void = truth == VOID
        for index in range(num_objects):
            pixels, true_pixels = mask == index + 1, truth == index + 1
            region[index, frame] = region_similarity(pixels, true_pixels, void)
            contour[index, frame] = contour_accuracy(pixels, true_pixels, void)
    return SequenceScores(region, contour)


def _without_void(
    mask: np.ndarray, truth: np.ndarray, void: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    shapes = [each.shape for each in (mask, truth, void) if each is not None]
    if len(set(shapes)) > 1 or mask.ndim != 2:
        raise ValueError(
            "`mask`, `truth` and `void` must have the same shape (height, width). Received: "
            f"{', '.join(map(str, shapes))}"
        )
    mask, truth = mask.astype(bool), truth.astype(bool)
    if void is None:
        return mask, truth
    counted = ~void.astype(bool)
    return mask & counted, truth & counted


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest window with all pixels of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _known_mean(scores: np.ndarray) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else math.nan


def _mean(of_objects: Iterable[Statistics]) -> Statistics:
    table = np.array([dataclasses.astuple(each) for each in of_objects])
    return Statistics(*table.mean(axis=0).tolist())


def _j_and_f(j: Statistics, f: Statistics) -> float:
    return (j.mean + f.mean) / 2


def _objects(scores: SequenceScores) -> Iterable[tuple[int, Statistics, Statistics]]:
    """Number, J and F of each object."""
    numbers = range(1, len(scores.region) + 1)
    return zip(numbers, scores.j_of_objects, scores.f_of_objects, strict=True)


def _to_json(j: Statistics, f: Statistics) -> dict[str, Any]:
    return {"j_and_f": _j_and_f(j, f), "j": j.to_json(), "f": f.to_json()}


def _cells(j: Statistics, f: Statistics) -> list[str]:
    values = (_j_and_f(j, f), *dataclasses.astuple(j), *dataclasses.astuple(f))
    return [f"{100 * value:z.2f}" for value in values]
