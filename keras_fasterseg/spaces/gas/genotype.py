"""Genotype of the GAS-style space: the operation of every edge, stored as JSON."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_fasterseg.files import shown
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS, check_graph
from keras_fasterseg.spaces.cells.limits import MOST_CELLS, check_filters
from keras_fasterseg.spaces.gas.plan import CellPlan, cell_plans, fused_cells
from keras_fasterseg.spaces.gas.settings import (
    MOST_REDUCTIONS,
)
from keras_fasterseg.spaces.genotype import Genotype, check_integer, check_list


@dataclasses.dataclass(frozen=True)
class GasGenotype(Genotype):
    """Derived network: everything needed to build it.

    Attributes:
        space: Name of the search space, "gas".
        initial_filters: Filters of a node before the first reduction, even.
        reductions: Numbers of the cells, from 0, that halve the resolution.
        decoder_filters: Filters of the pyramid or of a node of the fusion cell.
        cells: For every cell, the operations of its edges, in the order of `CELL.edges`.
        fusion: Operations of the edges of the fusion cell; empty for a network with a pyramid.

    Raises:
        ValueError: The fields do not describe a network; the message names the field.
    """

    initial_filters: int
    reductions: tuple[int, ...]
    decoder_filters: int
    cells: tuple[tuple[str, ...], ...]
    fusion: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.space == "gas", f"space must be 'gas'. Received: {shown(self.space)}")
        check_filters(self)
        cells = tuple(tuple(check_list(list(cell), "a cell")) for cell in self.cells)
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "fusion", tuple(self.fusion))
        require(
            1 <= len(cells) <= MOST_CELLS,
            f"cells must have 1 to {MOST_CELLS} cells. Received: {len(cells)} cells",
        )
        reductions = tuple(
            check_integer("a reduction", index, 0, len(cells) - 1) for index in self.reductions
        )
        object.__setattr__(self, "reductions", reductions)
        require(
            1 <= len(reductions) <= MOST_REDUCTIONS and list(reductions) == sorted(set(reductions)),
            f"reductions must be 1 to {MOST_REDUCTIONS} ascending numbers. "
            f"Received: reductions={list(reductions)}",
        )
        for index, operations in enumerate(cells):
            check_graph(f"cells[{index}]", operations, CELL, CELL_OPERATIONS)
        if self.fusion:
            require(
                len(reductions) == 3,
                f"A fusion cell needs three reductions. Received: reductions={list(reductions)}",
            )
            check_graph("fusion", self.fusion, FUSION, FUSION_OPERATIONS)

    @property
    def plans(self) -> tuple[CellPlan, ...]:
        """Shapes of all cells."""
        return cell_plans(len(self.cells), self.initial_filters, self.reductions)

    @property
    def fused(self) -> dict[int, CellPlan]:
        """By number of the fusion cell's input, the cell that it reads; only those that it reads.

        Without a fusion cell, the last cell, as number 0.
        """
        plans = self.plans
        if not self.fusion:
            return {0: plans[-1]}
        inputs = fused_cells(plans)
        return {number: inputs[number] for number in FUSION.used_inputs(self.fusion)}

    @property
    def live_cells(self) -> tuple[CellPlan, ...]:
        """The cells that the prediction depends on; no other is part of the network."""
        needed = {plan.index for plan in self.fused.values()}
        for plan in reversed(self.plans):
            if plan.index in needed:
                used = CELL.used_inputs(self.cells[plan.index])
                needed |= {plan.inputs[number].source for number in used}
        return tuple(plan for plan in self.plans if plan.index in needed)

    def summary(self) -> dict[str, Any]:
        """Number of cells that compute, and how often each operation occurs in them."""
        counts = collections.Counter(
            operation for plan in self.live_cells for operation in self.cells[plan.index]
        )
        facts: dict[str, Any] = {"live_cells": len(self.live_cells), "operations": dict(counts)}
        if self.fusion:
            facts["fusion_operations"] = dict(collections.Counter(self.fusion))
        return facts

    def _content(self) -> dict[str, Any]:
        return super()._content() | {"cells": [list(cell) for cell in self.cells]}

    @classmethod
    def _from_content(cls, space: str, content: Mapping[str, Any]) -> "GasGenotype":
        content = dict(content)
        if "cells" in content:
            cells = check_list(content["cells"], "cells")
            content["cells"] = [
                tuple(check_list(cell, f"cells[{index}]")) for index, cell in enumerate(cells)
            ]
        for name in ("reductions", "fusion"):
            if name in content:
                check_list(content[name], name)
        return super()._from_content(space, content)
