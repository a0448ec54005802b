"""Matching of proposals with templates."""

import numpy as np
from scipy.optimize import linear_sum_assignment

COSINE_WEIGHT = 0.7
IOU_WEIGHT = 0.3
LEAST_SIMILARITY = 0.4
LEAST_OVERLAP = 0.1
"""Smallest IoU of a match where masks alone are compared; our choice."""


def similarities(cosines: np.ndarray, overlaps: np.ndarray) -> np.ndarray:
    """`.7 * cosine + .3 * IoU` (our choice), of the shape of both."""
    return COSINE_WEIGHT * cosines + IOU_WEIGHT * overlaps


def match(similarity: np.ndarray, least: float = LEAST_SIMILARITY) -> list[tuple[int, int]]:
    """Pairs of templates and proposals with the largest sum of similarities.

    Args:
        similarity: `(templates, proposals)`.
        least: Pairs with a smaller similarity are left out.

    Returns:
        Pairs of indices, by template.
    """
    if not similarity.size:
        return []
    # Pairs below the limit count nothing, so that they never displace a valid one.
    counted = np.where(similarity >= least, similarity, 0.0)
    rows, columns = linear_sum_assignment(counted, maximize=True)
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if similarity[row, column] >= least
    ]


def mask_overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair of masks; 0 if both are empty.

    Args:
        first: bool `(n, height, width)`.
        second: bool `(m, height, width)`.

    Returns:
        float64 `(n, m)`.
    """
    pixels = first.shape[1] * first.shape[2]
    flat = [each.reshape(len(each), pixels).astype(np.float32) for each in (first, second)]
    shared = (flat[0] @ flat[1].T).astype(np.float64)
    areas = [each.sum(axis=1, dtype=np.float64) for each in flat]
    union = areas[0][:, None] + areas[1][None] - shared
    return shared / np.maximum(union, 1)
