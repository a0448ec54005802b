"""The costs of FasterSeg's supernet on the released table, put together for the tests."""

import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts
from keras_fasterseg.spaces.fasterseg.released_table import (
    charged_as_released,
    load_released_table,
)
from tests.shared import FIXTURES

PRIMITIVES = ("skip", "conv", "conv_downup", "conv_2x", "conv_2x_downup")
WIDTHS = tuple(twelfths / 12 for twelfths in (4, 6, 8, 10, 12))
SCALES = (8, 16, 32)
BASE_FILTERS = 12
HEIGHT, WIDTH = 1024, 2048


def released_table(*, reference_quirks: bool = False) -> LatencyTable:
    """The released table, on demand as the released code charges."""
    table = load_released_table(FIXTURES / "latency_1080ti_trt5.json")
    return charged_as_released(table) if reference_quirks else table


def node_filters(scale: int, width: float) -> int:
    """Channels of a node: scale * base * width, to the nearest multiple of 8."""
    return 8 * max(1, round(scale * BASE_FILTERS * width / 8))


def cell_ms(
    table: LatencyTable, operation: str, scale: int, stride: int, in_width: float, out_width: float
) -> float:
    """The row of one operation of a cell whose input lies at 1/scale."""
    key = OpKey(
        operation,
        HEIGHT // scale,
        WIDTH // scale,
        node_filters(scale, in_width),
        node_filters(scale * stride, out_width),
        stride,
    )
    return table[key].latency_ms


def stem_ms(table: LatencyTable, width: float) -> float:
    """The three operations of the stem."""
    first, second = 2 * node_filters(2, width), 2 * node_filters(4, width)
    third = node_filters(8, width)
    keys = (
        OpKey("conv_bn_relu_3x3", HEIGHT, WIDTH, 3, first, 2),
        OpKey("conv_2x", HEIGHT // 2, WIDTH // 2, first, second, 2),
        OpKey("conv_2x", HEIGHT // 4, WIDTH // 4, second, third, 2),
    )
    return sum(table[key].latency_ms for key in keys)


def supernet_costs(
    table: LatencyTable,
    *,
    stem_width: float,
    head_width: float,
    widths: tuple[float, ...] = WIDTHS,
) -> LatencyCosts:
    """All costs of the supernet, by primitive and width."""

    def grid(scale: int, stride: int, inputs: tuple, outputs: tuple) -> np.ndarray:
        return np.array(
            [
                [[cell_ms(table, op, scale, stride, i, o) for o in outputs] for i in inputs]
                for op in PRIMITIVES
            ]
        )

    return LatencyCosts(
        stem_ms=stem_ms(table, stem_width),
        keep=tuple(grid(scale, 1, widths, widths) for scale in SCALES),
        down=tuple(grid(scale, 2, widths, widths) for scale in SCALES[:-1]),
        first_keep=grid(8, 1, (stem_width,), widths)[:, 0, :],
        first_down=grid(8, 2, (stem_width,), widths)[:, 0, :],
        last_keep=tuple(grid(scale, 1, widths, (head_width,))[:, :, 0] for scale in SCALES),
    )
