"""Choices of the AutoRTNet-style space."""

from typing import Any

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.autortnet.cell_shape import HYPER
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.trellis import COARSEST_STATES, STATES
from keras_fasterseg.spaces.cells.cell_graph import FUSION, FUSION_OPERATIONS

Choices = dict[str, Any]
"""Shares by family.

- `gates`: `(hyper-cells, 3)`, in the order of `STATES`.
- `coarsest`: `(hyper-cells, 2)`, in the order of `COARSEST_STATES`.
- `cells`: `(hyper-cells, 3, 8)`, in the order of `HYPER.edges` and `CELL_OPERATIONS`.
- `aggregation`: `(12, 9)`, in the order of `FUSION.edges` and `FUSION_OPERATIONS`.
"""


def group_shapes(settings: AutoRTNetSettings) -> dict[str, tuple[int, ...]]:
    """Shapes of the choices by family."""
    return {
        "gates": (settings.cells, len(STATES)),
        "coarsest": (settings.cells, len(COARSEST_STATES)),
        "cells": (settings.cells, len(HYPER.edges), len(CELL_OPERATIONS)),
        "aggregation": (len(FUSION.edges), len(FUSION_OPERATIONS)),
    }
