"""Latency of the student as a term of the loss."""

from typing import Any

from keras import ops

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.expected_penalty import ExpectedPenalty
from keras_fasterseg.spaces.gas.choices import Choices
from keras_fasterseg.spaces.gas.expected_latency import ExpectedLatency
from keras_fasterseg.spaces.gas.settings import GasSettings


class LatencyPenalty(ExpectedPenalty):
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
        super().__init__(table, num_classes, target_ms)
        self._latency = ExpectedLatency(settings, table, num_classes)

    def rows_ms(self, choices: Choices) -> Any:
        return self._latency(choices)

    def __call__(self, choices: Choices) -> Any:
        return ops.log(self.milliseconds(choices) / self.target_ms)
