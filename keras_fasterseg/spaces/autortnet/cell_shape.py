"""Shape and layers of a hyper-cell in one state at one resolution."""

import dataclasses

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.spaces.autortnet.trellis import (
    LAST,
    NORMAL,
    REDUCE,
    SCALES,
    STATES,
    filters_at,
)
from keras_fasterseg.spaces.cells.cell_graph import CellGraph
from keras_fasterseg.spaces.cells.keys import operation_key, scaled_key

HYPER = CellGraph(inputs=1, nodes=2)
"""A hyper-cell reads the feature before it alone (our choice); three edges."""

PREPROCESSING = "conv_1x1"


@dataclasses.dataclass(frozen=True)
class CellShape:
    """Shape of a hyper-cell that runs.

    Attributes:
        level: Level of its input.
        state: `normal` or `reduce`.
        initial_filters: Filters of a node at the first level.
    """

    level: int
    state: str
    initial_filters: int

    @property
    def strides(self) -> int:
        """Stride of the operations next to the input."""
        return 2 if self.state == REDUCE else 1

    @property
    def output_level(self) -> int:
        return self.level + (self.state == REDUCE)

    @property
    def filters(self) -> int:
        """Filters of a node."""
        return filters_at(self.output_level, self.initial_filters)

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return HYPER.nodes * filters_at(self.level, self.initial_filters)

    def edge_strides(self, edge: int) -> int:
        """Stride of the operation on an edge."""
        return self.strides if HYPER.edges[edge][1] < HYPER.inputs else 1

    def input_key(self, size: tuple[int, int]) -> OpKey:
        """Row of the preprocessing, a 1x1 convolution."""
        return scaled_key("cell_input", SCALES[self.level], self.channels, self.filters, size)

    def edge_key(self, edge: int, name: str, size: tuple[int, int]) -> OpKey | None:
        """Row of operation `name` on an edge; None if it costs nothing."""
        strides = self.edge_strides(edge)
        scale = SCALES[self.output_level] // strides
        return operation_key(name, scale, self.filters, size, strides)


def shapes_at(level: int, initial_filters: int) -> dict[str, CellShape]:
    """Shapes of a hyper-cell at a level, by state; at the last level without `reduce`."""
    states = STATES[:2] if level < LAST else (NORMAL,)
    return {state: CellShape(level, state, initial_filters) for state in states}
