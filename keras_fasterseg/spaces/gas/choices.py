"""Choices of the GAS-style space."""

from typing import Any

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings

Choices = dict[str, Any]
"""Shares of the operations of every edge, by family.

- `cells`: `(cells, 5, 8)`, in the order of `CELL.edges` and `CELL_OPERATIONS`.
- `fusion`: `(12, 9)`, in the order of `FUSION.edges` and `FUSION_OPERATIONS`; only with a searched
  fusion cell.
"""


def group_shapes(settings: GasSettings) -> dict[str, tuple[int, ...]]:
    """Shapes of the choices by family."""
    shapes: dict[str, tuple[int, ...]] = {}
    shapes["cells"] = (settings.cells, len(CELL.edges), len(CELL_OPERATIONS))
    if settings.fusion == DENSE:
        shapes["fusion"] = (len(FUSION.edges), len(FUSION_OPERATIONS))
    return shapes
