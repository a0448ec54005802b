"""Agreement between predicted and measured latencies of several networks."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Quality of latency predictions for measured networks.

    Attributes:
        spearman: Spearman's rank correlation, in [-1, 1]. A search needs only the right order to
            prefer the faster of two networks.
        median_relative_error: Median of |predicted - measured| / measured.
        worst_relative_error: Maximum of |predicted - measured| / measured.
        networks: Number of networks compared.
    """

    spearman: float
    median_relative_error: float
    worst_relative_error: float
    networks: int


def agreement(predicted_ms: Sequence[float], measured_ms: Sequence[float]) -> Agreement:
    """Compares predictions with measurements of the same networks.

    Args:
        predicted_ms: Predicted latency of each network, in milliseconds.
        measured_ms: Measured latency of each network, in the same order.

    Raises:
        ValueError: There are fewer than two networks, the lengths differ, or a latency is not a
            positive number. Also if all predictions or all measurements are equal: then there is
            no order to compare.
    """
    predicted = np.asarray(predicted_ms, np.float64)
    measured = np.asarray(measured_ms, np.float64)
    latencies = [predicted, measured]
    if (
        predicted.shape != measured.shape
        or predicted.ndim != 1
        or not all(
            np.isfinite(each).all() and (each > 0).all() and np.unique(each).size > 1
            for each in latencies
        )
    ):
        raise ValueError(
            "Agreement needs positive predicted and measured latencies of at least two networks, "
            f"not all equal. Received: predicted_ms={predicted.tolist()}, "
            f"measured_ms={measured.tolist()}"
        )
    errors = np.abs(predicted - measured) / measured
    return Agreement(
        spearman=_correlation(average_ranks(predicted), average_ranks(measured)),
        median_relative_error=float(np.median(errors)),
        worst_relative_error=float(errors.max()),
        networks=int(measured.size),
    )


def average_ranks(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Ascending ranks from 1, `(n,)`; equal values share the mean of their ranks."""
    _, positions, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[positions]


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))
