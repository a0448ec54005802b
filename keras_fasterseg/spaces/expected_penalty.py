"""Penalty on the expected latency of the networks that choices stand for."""

import abc
from typing import Any

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.cost import serving_key


class ExpectedPenalty(abc.ABC):
    """A function of the expected latency and a target; subclasses sum the rows.

    Args:
        table: Latencies of the operations.
        num_classes: Number of classes.
        target_ms: The target, in milliseconds.

    Raises:
        ValueError: The target is not positive.
        KeyError: A row is missing in the table.
    """

    def __init__(self, table: LatencyTable, num_classes: int, target_ms: float):
        require(target_ms > 0, f"`target_ms` must be positive. Received: target_ms={target_ms}")
        self.target_ms = target_ms
        # Rows are read uncalibrated: the calibration maps their sum.
        self._calibration = table.calibration
        serving = serving_key(table.metadata.input_size, num_classes)
        self._around_ms = table[serving].latency_ms if serving in table else 0.0

    @abc.abstractmethod
    def rows_ms(self, choices: Any) -> Any:
        """Expected sum of the rows of the networks that `choices` stand for, in milliseconds."""

    def milliseconds(self, choices: Any) -> Any:
        """Expected latency of the networks that `choices` stand for."""
        total = self.rows_ms(choices) + self._around_ms
        return total if self._calibration is None else self._calibration(total)

    @abc.abstractmethod
    def __call__(self, choices: Any) -> Any:
        """Penalty of `choices`, dimensionless and differentiable."""
