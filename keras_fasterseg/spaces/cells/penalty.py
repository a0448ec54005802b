"""Latency of the student as a term of the loss."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.expected_penalty import ExpectedPenalty


class LatencyPenalty(ExpectedPenalty):
    """`log(expected latency / target)`; the target only shifts it.

    Args:
        latency: Expected sum of the rows of the networks that choices stand for, in milliseconds.
        table: Latencies of the operations.
        num_classes: Number of classes.
        target_ms: The target, in milliseconds.

    Raises:
        ValueError: The target is not positive.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793), with the rows of the user's
        table.
    """

    def __init__(
        self,
        latency: Callable[[Any], Any],
        table: LatencyTable,
        num_classes: int,
        target_ms: float,
    ):
        super().__init__(table, num_classes, target_ms)
        self._latency = latency

    def rows_ms(self, choices: Any) -> Any:
        return self._latency(choices)

    def __call__(self, choices: Any) -> Any:
        return ops.log(self.milliseconds(choices) / self.target_ms)
