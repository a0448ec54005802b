"""Shapes of the cells of a GAS-style network or supernet."""

import dataclasses
import itertools
from collections.abc import Sequence

from keras_fasterseg.layers.cell_operations import SKIP
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION
from keras_fasterseg.spaces.cells.keys import STEM_SCALE

STEM = -1
"""Number of the stem where numbers of cells are expected."""


@dataclasses.dataclass(frozen=True)
class CellInput:
    """Input of a cell and its preprocessing.

    Attributes:
        source: Number of the cell that it comes from, or `STEM`.
        channels: Its channels.
        scale: Its scale: image size over feature size.
        strides: Stride of the preprocessing: 2 for the input before a reduction.
    """

    source: int
    channels: int
    scale: int
    strides: int

    @property
    def operation(self) -> str:
        """The operation that preprocesses it: a 1x1 convolution, or a factorised reduction."""
        return "conv_1x1" if self.strides == 1 else SKIP


@dataclasses.dataclass(frozen=True)
class CellPlan:
    """Shape of a cell.

    Attributes:
        index: Its number, from 0.
        filters: Filters of a node.
        strides: Stride of the operations next to the inputs.
        scale: Scale of the output: image size over feature size.
        inputs: Its inputs, the older one first.
    """

    index: int
    filters: int
    strides: int
    scale: int
    inputs: tuple[CellInput, CellInput]

    @property
    def name(self) -> str:
        return f"cell_{self.index}"

    @property
    def input_scale(self) -> int:
        """Scale of the preprocessed inputs."""
        return self.scale // self.strides

    def edge_strides(self, edge: int) -> int:
        """Stride of the operation on an edge: that of the cell next to an input, else 1."""
        return self.strides if CELL.edges[edge][1] < CELL.inputs else 1


def cell_plans(cells: int, initial_filters: int, reductions: Sequence[int]) -> tuple[CellPlan, ...]:
    """Shapes of all cells, in order.

    Args:
        cells: Number of cells.
        initial_filters: Filters of a node before the first reduction.
        reductions: Numbers of the cells that halve the resolution and double the filters.
    """
    outputs = {STEM: (CELL.nodes * initial_filters, STEM_SCALE)}
    filters, scale, plans = initial_filters, STEM_SCALE, []
    for index in range(cells):
        sources = max(index - 2, STEM), index - 1
        inputs = tuple(
            CellInput(source, *outputs[source], strides=scale // outputs[source][1])
            for source in sources
        )
        strides = 2 if index in reductions else 1
        filters, scale = filters * strides, scale * strides
        plans.append(CellPlan(index, filters, strides, scale, inputs))  # pyright: ignore[reportArgumentType]
        outputs[index] = CELL.nodes * filters, scale
    return tuple(plans)


def fused_cells(plans: Sequence[CellPlan]) -> list[CellPlan]:
    """The cells that a fusion cell reads: the last of each of the coarsest scales, finest first.

    The fusion cell works at the scale of the middle one.
    """
    last = list({plan.scale: plan for plan in plans}.values())
    return last[-FUSION.inputs :]


def equal_cells(plans: Sequence[CellPlan]) -> list[list[CellPlan]]:
    """The cells in order, consecutive ones of equal shape together."""

    def shape(plan: CellPlan):
        inputs = [(each.channels, each.scale, each.strides) for each in plan.inputs]
        return plan.filters, plan.strides, inputs

    return [list(group) for _, group in itertools.groupby(plans, shape)]
