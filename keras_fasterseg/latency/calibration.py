"""Calibration of summed table rows against measured latencies of complete networks."""

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Straight line that maps the sum of a network's rows to its measured latency.

    Attributes:
        factor: Factor of the sum; above 0.
        offset_ms: Constant added after multiplying, in milliseconds; at least 0.
        networks: Number of networks used for the fit; at least 2.

    Raises:
        ValueError: A number is out of range.
    """

    factor: float
    offset_ms: float
    networks: int

    def __post_init__(self) -> None:
        factor, offset_ms = self.factor, self.offset_ms
        if not (_is_number(factor) and factor > 0 and _is_number(offset_ms) and offset_ms >= 0):
            raise ValueError(
                "A calibration needs a positive factor and an offset of at least 0; measure it "
                f"again. Received: factor={factor!r}, offset_ms={offset_ms!r}"
            )
        if not isinstance(self.networks, int) or self.networks < 2:
            raise ValueError(
                f"Calibration needs at least two networks. Received: networks={self.networks!r}"
            )

    def __call__(self, sum_ms: float) -> float:
        """Latency of a network whose rows sum to `sum_ms`, in milliseconds."""
        return self.factor * sum_ms + self.offset_ms


def fit_calibration(sums_ms: Sequence[float], measured_ms: Sequence[float]) -> Calibration:
    """Fits the line that minimises the squared relative errors of the measured latencies.

    If the best offset is negative, the best line through zero is used instead: no network has a
    negative latency.

    Args:
        sums_ms: Sum of the table's rows for each network, in milliseconds.
        measured_ms: Measured latency of each network, in the same order.

    Raises:
        ValueError: There are fewer than two networks, the lengths differ, or all sums are equal.
            Also if the measured latency falls as the sums rise: then the table cannot predict
            these networks.
    """
    sums = np.asarray(sums_ms, np.float64)
    measured = np.asarray(measured_ms, np.float64)
    if sums.shape != measured.shape or sums.size < 2 or np.ptp(sums) == 0:
        raise ValueError(
            "Calibration needs the row sums and the latencies of at least two networks with "
            f"different sums. Received: sums_ms={sums.tolist()}, measured_ms={measured.tolist()}"
        )
    # Dividing a row by its measurement turns squared errors into relative ones.
    terms = np.stack([sums, np.ones_like(sums)], axis=1) / measured[:, None]
    (factor, offset), *_ = np.linalg.lstsq(terms, np.ones_like(sums), rcond=None)
    if offset < 0:
        (factor,), *_ = np.linalg.lstsq(terms[:, :1], np.ones_like(sums), rcond=None)
        offset = 0.0
    return Calibration(float(factor), float(offset), int(sums.size))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Compared, not converted: an integer can exceed the range of floats.
    return abs(value) <= sys.float_info.max
