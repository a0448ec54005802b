"""Genotype of the AutoRTNet-style space: the hyper-cells that run, stored as JSON."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_fasterseg.files import shown
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.autortnet.cell_shape import HYPER, CellShape
from keras_fasterseg.spaces.autortnet.trellis import LAST, NORMAL, REDUCE
from keras_fasterseg.spaces.cells.cell_graph import (
    FUSION,
    FUSION_OPERATIONS,
    CellGraph,
    check_graph,
)
from keras_fasterseg.spaces.cells.limits import MOST_CELLS, check_filters
from keras_fasterseg.spaces.genotype import Genotype, check_integer, check_keys, check_list


@dataclasses.dataclass(frozen=True)
class HyperCell:
    """A hyper-cell that runs.

    Attributes:
        index: Its number in the supernet, from 0.
        state: `normal` or `reduce`.
        operations: Operations of its edges, in the order of `HYPER.edges`.
    """

    index: int
    state: str
    operations: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"cell_{self.index}"


@dataclasses.dataclass(frozen=True)
class AutoRTNetGenotype(Genotype):
    """Derived network: everything needed to build it.

    Attributes:
        space: Name of the search space, "autortnet".
        initial_filters: Filters of a node before the first reduction, even.
        decoder_filters: Filters of a node of the aggregation cell.
        cells: The hyper-cells that run, in order; at most three reduce.
        aggregation: Operations of the edges of the aggregation cell, which has as many inputs as
            there are reductions; empty without any.

    Raises:
        ValueError: The fields do not describe a network; the message names the field.
    """

    initial_filters: int
    decoder_filters: int
    cells: tuple[HyperCell, ...]
    aggregation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(
            self.space == "autortnet", f"space must be 'autortnet'. Received: {shown(self.space)}"
        )
        check_filters(self)
        object.__setattr__(self, "cells", tuple(self.cells))
        before = -1
        for number, cell in enumerate(self.cells):
            where = f"cells[{number}]"
            before = check_integer(f"index of {where}", cell.index, before + 1, MOST_CELLS - 1)
            require(
                cell.state in (NORMAL, REDUCE),
                f"state of {where} must be {NORMAL} or {REDUCE}. Received: {shown(cell.state)}",
            )
            check_graph(where, cell.operations, HYPER, CELL_OPERATIONS)
        require(
            self.level <= LAST,
            f"At most {LAST} cells may reduce. Received: {self.level} reductions",
        )
        object.__setattr__(self, "aggregation", tuple(self.aggregation))
        if self.level:
            check_graph("aggregation", self.aggregation, self.graph, FUSION_OPERATIONS)
        require(
            bool(self.level) or not self.aggregation,
            "Without reductions, aggregation must be empty. "
            f"Received: aggregation={list(self.aggregation)}",
        )

    @property
    def level(self) -> int:
        """Number of reductions."""
        return sum(cell.state == REDUCE for cell in self.cells)

    @property
    def graph(self) -> CellGraph:
        """Graph of the aggregation cell."""
        return aggregation_graph(self.level)

    @property
    def shapes(self) -> tuple[CellShape, ...]:
        """Shapes of the cells."""
        level, found = 0, []
        for cell in self.cells:
            found.append(CellShape(level, cell.state, self.initial_filters))
            level = found[-1].output_level
        return tuple(found)

    @property
    def aggregated(self) -> dict[int, int]:
        """By number of the aggregation cell's input, the level that it reads; only those read.

        Without reductions, the first level, as number 0.
        """
        if not self.level:
            return {0: 0}
        return {number: number + 1 for number in self.graph.used_inputs(self.aggregation)}

    @property
    def live_cells(self) -> tuple[tuple[HyperCell, CellShape], ...]:
        """The cells that the prediction depends on, with their shapes."""
        deepest = max(self.aggregated.values())
        pairs = zip(self.cells, self.shapes, strict=True)
        return tuple((cell, shape) for cell, shape in pairs if shape.output_level <= deepest)

    def summary(self) -> dict[str, Any]:
        """Depth, places of the reductions, and how often each operation occurs in live cells."""
        live = self.live_cells
        operations = (operation for cell, _ in live for operation in cell.operations)
        reductions = [place for place, (cell, _) in enumerate(live) if cell.state == REDUCE]
        return {
            "live_cells": len(live),
            "reductions": reductions,
            "operations": dict(collections.Counter(operations)),
            "aggregation_operations": dict(collections.Counter(self.aggregation)),
        }

    def _content(self) -> dict[str, Any]:
        cells = [
            dataclasses.asdict(cell) | {"operations": list(cell.operations)} for cell in self.cells
        ]
        return super()._content() | {"cells": cells}

    @classmethod
    def _from_content(cls, space: str, content: Mapping[str, Any]) -> "AutoRTNetGenotype":
        content = dict(content)
        names = [field.name for field in dataclasses.fields(HyperCell)]
        if "cells" in content:
            found = []
            for number, cell in enumerate(check_list(content["cells"], "cells")):
                check_keys(cell, names, f"cells[{number}]")
                operations = check_list(cell["operations"], f"operations of cells[{number}]")
                found.append(HyperCell(**(cell | {"operations": tuple(operations)})))
            content["cells"] = found
        if "aggregation" in content:
            check_list(content["aggregation"], "aggregation")
        return super()._from_content(space, content)


def aggregation_graph(level: int) -> CellGraph:
    """Graph of the aggregation cell of a network with `level` reductions, at least 1."""
    return CellGraph(level, FUSION.nodes)


def kept_edges(graph: CellGraph) -> list[int]:
    """Numbers in `FUSION.edges` of the edges of an aggregation cell with fewer inputs."""
    absent = FUSION.inputs - graph.inputs
    return [
        FUSION.edges.index((node, source + (0 if source < graph.inputs else absent)))
        for node, source in graph.edges
    ]
