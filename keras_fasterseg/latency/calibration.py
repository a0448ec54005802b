"""From sums of a table's rows to the latency of whole networks."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A straight line from the sum of a network's rows to its measured latency.

    Attributes:
        factor: What the sum is multiplied by; above 0.
        offset_ms: What is then added, in milliseconds.
        networks: How many networks the line was fitted to.

    Raises:
        ValueError: The factor is not a positive number, the offset not a number, or there are fewer
            than two networks.
    """

    factor: float
    offset_ms: float
    networks: int

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor) or self.factor <= 0 or not math.isfinite(self.offset_ms):
            raise ValueError(
                "A calibration must have a positive factor and a finite offset; measure the table "
                f"again. Received: factor={self.factor}, offset_ms={self.offset_ms}"
            )
        if self.networks < 2:
            raise ValueError(
                f"A line is fitted to two networks or more. Received: networks={self.networks}"
            )

    def __call__(self, sum_ms: float) -> float:
        """The latency of a network whose rows sum to `sum_ms`, in milliseconds."""
        return self.factor * sum_ms + self.offset_ms


def fit_calibration(sums_ms: Sequence[float], measured_ms: Sequence[float]) -> Calibration:
    """The line that minimises the relative squared errors of the measured latencies.

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
    return Calibration(float(factor), float(offset), int(sums.size))
