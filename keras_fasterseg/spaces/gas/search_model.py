"""The GAS-style supernet with its architecture, for a search."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.search_model import (
    LARGEST,
    PREDICTION,
    CellSearch,
    one_hot_choices,
)
from keras_fasterseg.spaces.gas.architecture import GasArchitecture
from keras_fasterseg.spaces.gas.choices import Choices, group_shapes
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.inheritance import inherited_network
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings
from keras_fasterseg.spaces.gas.supernet import GasSupernet
from keras_fasterseg.spaces.roles import STUDENT


class GasSearch(CellSearch):
    """Supernet and the student's architecture, with the largest network as the teacher.

    Args:
        settings: Settings of the space.
        num_classes: Number of classes.
        seed: Seed of the architecture's start and sampling.
        dtype: Keras's dtype policy of the supernet.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793).
    """

    def __init__(self, settings: GasSettings, num_classes: int, seed: int, dtype: str = "float32"):
        self.settings = settings
        super().__init__(
            GasSupernet(settings, num_classes, dtype=dtype, name="supernet"),
            GasArchitecture(settings, seed, name=STUDENT),
        )

    def evaluation_choices(self, role: str) -> Choices:
        if role == STUDENT:
            return self.architecture()
        return choices_of(largest_genotype(self.settings), self.settings)

    def candidates(self, role: str) -> dict[str, GasGenotype]:
        return {PREDICTION: derive(self.evaluation_choices(role), self.settings)}

    def inherited(self, role: str, genotype: GasGenotype) -> keras.Model:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The network of the genotype with copies of the supernet's weights."""
        choices_of(genotype, self.settings)
        return inherited_network(self.supernet, genotype)


def derive(choices: Choices, settings: GasSettings) -> GasGenotype:
    """The network of the likeliest operation of every edge; "zero" removes an edge.

    A node without any edge gets a `skip` from the last input; see `cell_graph`.
    """
    indexes = {
        family: np.argmax(ops.convert_to_numpy(rows), axis=-1) for family, rows in choices.items()
    }
    return genotype_of(indexes, settings)


def genotype_of(indexes: dict[str, Any], settings: GasSettings) -> GasGenotype:
    """The network of the operations with these numbers, by family and in the shape of choices."""
    cells = tuple(
        CELL.completed([CELL_OPERATIONS[each] for each in row])
        for row in np.reshape(indexes["cells"], group_shapes(settings)["cells"][:2])
    )
    fusion = ()
    if settings.fusion == DENSE:
        fusion = FUSION.completed([FUSION_OPERATIONS[each] for each in indexes["fusion"]])
    return GasGenotype(
        "gas",
        settings.initial_filters,
        settings.reductions,
        settings.decoder_filters,
        cells,
        fusion,
    )


def choices_of(genotype: GasGenotype, settings: GasSettings) -> Choices:
    """The one-hot choices that `derive` turns into `genotype`.

    Raises:
        ValueError: The genotype is not in the search space.
    """
    expected = {
        "initial_filters": settings.initial_filters,
        "reductions": tuple(settings.reductions),
        "decoder_filters": settings.decoder_filters,
        "cells": settings.cells,
        "fusion": settings.fusion == DENSE,
    }
    found = {name: getattr(genotype, name) for name in expected}
    found |= {"cells": len(genotype.cells), "fusion": bool(genotype.fusion)}
    require(found == expected, f"The supernet has {expected}. Received a genotype of {found}")
    rows: dict[str, Any] = {
        "cells": [[CELL_OPERATIONS.index(name) for name in cell] for cell in genotype.cells]
    }
    if genotype.fusion:
        rows["fusion"] = [FUSION_OPERATIONS.index(name) for name in genotype.fusion]
    return one_hot_choices(rows, group_shapes(settings))


def largest_genotype(settings: GasSettings) -> GasGenotype:
    """The network with a 3x3 convolution on every edge."""
    indexes = {
        family: np.full(shape[:-1], CELL_OPERATIONS.index(LARGEST))
        for family, shape in group_shapes(settings).items()
    }
    return genotype_of(indexes, settings)
