"""From sums of a table's rows to the latency of whole networks."""

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A straight line from the sum of a network's rows to its measured latency.

    Attributes:
        factor: What the sum is multiplied by; above 0.
        offset_ms: What is then added, in milliseconds; at least 0.
        networks: How many networks the line was fitted to; at least 2.

    Raises:
        ValueError: A number is out of its range.
    """

    factor: float
    offset_ms: float
    networks: int

    def __post_init__(self) -> None:
        factor, offset_ms = self.factor, self.offset_ms
        if not (_is_number(factor) and factor > 0 and _is_number(offset_ms) and offset_ms >= 0):
            raise ValueError(
                "A calibration has a positive factor and an offset of at least 0; measure it "
                f"again. Received: factor={factor!r}, offset_ms={offset_ms!r}"
            )
        if not isinstance(self.networks, int) or self.networks < 2:
            raise ValueError(
                f"A line is fitted to two networks or more. Received: networks={self.networks!r}"
            )

    def __call__(self, sum_ms: float) -> float:
        """The latency of a network whose rows sum to `sum_ms`, in milliseconds."""
        return self.factor * sum_ms + self.offset_ms


def fit_calibration(sums_ms: Sequence[float], measured_ms: Sequence[float]) -> Calibration:
    """The line that minimises the relative squared errors of the measured latencies.

    Where the best line would lie below zero at first, the best one through zero is taken: no
    network has a negative latency.

    Args:
        sums_ms: The sum of the table's rows of each network, in milliseconds.
        measured_ms: The measured latency of each, in the same order.

    Raises:
        ValueError: There are fewer than two networks, or all have the same sum; or latency falls
            where the sums rise, so that the table tells nothing of the networks.
    """
    sums = np.asarray(sums_ms, np.float64)
    measured = np.asarray(measured_ms, np.float64)
    if sums.shape != measured.shape or sums.size < 2 or np.ptp(sums) == 0:
        raise ValueError(
            "A calibration needs the sums and the latencies of two networks or more that differ. "
            f"Received: sums_ms={sums.tolist()}, measured_ms={measured.tolist()}"
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
    # Compared, since an integer may be beyond all floats.
    return abs(value) <= sys.float_info.max
