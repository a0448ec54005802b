"""Latency of the student as a term of the loss."""

from typing import Any

from keras import ops

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.cost import serving_key
from keras_fasterseg.spaces.gas.choices import Choices
from keras_fasterseg.spaces.gas.expected_latency import ExpectedLatency
from keras_fasterseg.spaces.gas.settings import GasSettings


class LatencyPenalty:
    """`log(expected latency / target)`; the target only shifts it.

    Args:
        settings: Settings of the space.
        table: Latencies of the operations.
        num_classes: Number of classes.
        target_ms: The target, in milliseconds.

    Raises:
        ValueError: The target is not positive.
        KeyError: A row is missing in the table.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793), with the rows of the user's
        table.
    """

    def __init__(
        self, settings: GasSettings, table: LatencyTable, num_classes: int, target_ms: float
    ):
        require(target_ms > 0, f"`target_ms` must be positive. Received: target_ms={target_ms}")
        self.target_ms = target_ms
        # Rows are read uncalibrated: the calibration maps their sum.
        self._calibration = table.calibration
        self._latency = ExpectedLatency(settings, table, num_classes)
        serving = serving_key(table.metadata.input_size, num_classes)
        self._around_ms = table[serving].latency_ms if serving in table else 0.0

    def milliseconds(self, choices: Choices) -> Any:
        """Expected latency of the networks that `choices` stand for."""
        total = self._latency(choices) + self._around_ms
        return total if self._calibration is None else self._calibration(total)

    def __call__(self, choices: Choices) -> Any:
        """Penalty of `choices`, dimensionless and differentiable."""
        return ops.log(self.milliseconds(choices) / self.target_ms)
