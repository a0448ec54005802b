"""Cost of the student as a term of the loss."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_fasterseg.latency.interpolation import number_grid
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.expected_penalty import ExpectedPenalty
from keras_fasterseg.spaces.joint.choices import Choices
from keras_fasterseg.spaces.joint.expected_cost import (
    StageLatencies,
    expected_gflops,
    expected_latency,
)
from keras_fasterseg.spaces.joint.settings import JointSettings
from keras_fasterseg.spaces.joint.stages import AUXILIARY, block_keys, surrounding_keys


class FlopsPenalty:
    """`(F / flops_full - flops_share)^2` with the expected billions of operations F.

    Args:
        settings: Settings of the space.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """

    def __init__(self, settings: JointSettings):
        self.settings = settings

    def __call__(self, choices: Choices) -> Any:
        """Penalty of `choices`, dimensionless and differentiable."""
        share = expected_gflops(choices, self.settings) / self.settings.flops_full
        return ops.square(share - self.settings.flops_share)


class LatencyPenalty(ExpectedPenalty):
    """`(expected latency / target - 1)^2`: a device's latency in place of the paper's FLOPs.

    Args:
        settings: Settings of the space.
        table: Latencies of the operations.
        num_classes: Number of classes.
        target_ms: The target, in milliseconds.

    Raises:
        ValueError: The target is not positive.
        KeyError: A row is missing in the table.
    """

    def __init__(
        self, settings: JointSettings, table: LatencyTable, num_classes: int, target_ms: float
    ):
        super().__init__(table, num_classes, target_ms)
        self.settings = settings
        size = table.metadata.input_size

        def latencies(last: tuple[int, int]) -> dict[str, float]:
            keys = surrounding_keys(settings, last, size, num_classes)
            return {name: table[key].latency_ms for name, key in keys.items() if name != AUXILIARY}

        widths = [
            settings.widths(filters) for filters in (settings.early_filters, settings.late_filters)
        ]
        found = [latencies(last) for last in zip(*widths, strict=True)]
        exits = (("late_downsampler", "low_level"), ("pyramid",))
        chosen = {name for names in exits for name in names}
        self._fixed_ms = sum(ms for name, ms in found[0].items() if name not in chosen)
        self._stages = tuple(
            _stage_latencies(
                settings, table, stage, own, [sum(each[name] for name in names) for each in found]
            )
            for stage, own, names in zip(("early", "late"), widths, exits, strict=True)
        )

    def rows_ms(self, choices: Choices) -> Any:
        return self._fixed_ms + expected_latency(choices, self.settings, self._stages)

    def expected_ms(self, choices: Choices) -> Any:
        """`milliseconds`; its name says that the penalty has two sides."""
        return self.milliseconds(choices)

    def __call__(self, choices: Choices) -> Any:
        return ops.square(self.milliseconds(choices) / self.target_ms - 1.0)


def _stage_latencies(
    settings: JointSettings,
    table: LatencyTable,
    stage: str,
    widths: Sequence[int],
    exits: Sequence[float],
) -> StageLatencies:
    grid, weights = number_grid(widths)
    keys = block_keys(settings, stage, grid, table.metadata.input_size)
    rows = np.asarray([table[key].latency_ms for key in keys], "float32")
    return StageLatencies(weights, rows.reshape(-1, *[len(grid)] * 3), np.asarray(exits, "float32"))
