"""Registers the operations of spaces of cells in latency tables."""

from collections.abc import Callable

import keras

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Operation, register_operations
from keras_fasterseg.layers.atrous_pyramid import AtrousPyramid
from keras_fasterseg.layers.cell_operations import CellConvolution, make_cell_operation
from keras_fasterseg.layers.head import Head
from keras_fasterseg.spaces.cells.cell_graph import FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.level_alignment import LevelAlignment

PREFIX = "cell_"
"""Prefix of the names of the operations of edges."""


def _on_edge(name: str) -> Callable[[OpKey], keras.layers.Layer]:
    return lambda key: make_cell_operation(name, key.out_filters, key.stride)


def _alignment(scale: float) -> Callable[[OpKey], keras.layers.Layer]:
    return lambda key: LevelAlignment(key.out_filters, scale)


ALIGNMENTS = {
    0.25: "fusion_input_quarter",
    0.5: "fusion_input_down",
    1.0: "fusion_input",
    2.0: "fusion_input_up",
}

_PRICED = [name for name in FUSION_OPERATIONS if name not in ("zero", "skip")]

register_operations(
    {PREFIX + name: Operation(_on_edge(name)) for name in _PRICED}
    | {
        "cell_reduction": Operation(_on_edge("skip"), (2,)),
        "cell_input": Operation(lambda key: CellConvolution(key.out_filters, 1), (1,)),
        "atrous_pyramid": Operation(lambda key: AtrousPyramid(key.out_filters), (1,)),
        "gas_classifier": Operation(lambda key: Head(key.out_filters, hidden=False), (1,)),
    }
    | {name: Operation(_alignment(scale), (1,)) for scale, name in ALIGNMENTS.items()}
)
