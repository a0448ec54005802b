"""The GAS-style supernet with its architecture, for a search."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.losses.solution_space_regularization import SolutionSpaceRegularizer
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.base import SearchModel
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.gas.architecture import GasArchitecture
from keras_fasterseg.spaces.gas.choices import Choices, group_shapes
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.inheritance import inherited_network
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings
from keras_fasterseg.spaces.gas.supernet import GasSupernet
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

LABEL_STRIDE = 8
PREDICTION = "prediction"
LARGEST = "conv"
"""Operation of every edge of the largest network: of all, it has the most multiply-adds."""


class GasSearch(SearchModel):
    """Supernet, the student's architecture, and the largest network as the teacher.

    The teacher is fixed: it has no architecture parameters, and the search only scores it.

    Args:
        settings: Settings of the space.
        num_classes: Number of classes.
        seed: Seed of the architecture's start and sampling.
        dtype: Keras's dtype policy of the supernet.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793). The resolution of the loss, 1/8,
        and the teacher are not specified in the paper; our choices.
    """

    def __init__(self, settings: GasSettings, num_classes: int, seed: int, dtype: str = "float32"):
        self.settings = settings
        self.num_classes = num_classes
        self.supernet = GasSupernet(settings, num_classes, dtype=dtype, name="supernet")
        self.supernet.build()
        self.architectures = {
            TEACHER: keras.layers.Identity(name=TEACHER),
            STUDENT: GasArchitecture(settings, seed, name=STUDENT),
        }

    @property
    def architecture(self) -> GasArchitecture:
        """The student's architecture."""
        return self.architectures[STUDENT]  # pyright: ignore[reportReturnType]

    def search_choices(self, temperature: Any) -> tuple[Choices, Choices]:
        choices = self.architecture(training=True, temperature=temperature)
        return choices, choices

    def evaluation_choices(self, role: str) -> Choices:
        if role == STUDENT:
            return self.architecture()
        return choices_of(largest_genotype(self.settings), self.settings)

    def loss(self, images: Any, labels: Any, choices: Choices, frozen: bool = False) -> Any:
        logits = self.supernet(images, choices, training=True, frozen=frozen)
        labels = labels[:, ::LABEL_STRIDE, ::LABEL_STRIDE]
        logits = resize_bilinear(logits, tuple(labels.shape[1:3]))
        return ohem_cross_entropy(
            labels, logits, threshold=1.0, min_kept=0, class_weights=self.class_weights
        )

    def predictions(self, images: Any, choices: Choices) -> dict[str, Any]:
        return {PREDICTION: self.supernet(images, choices, training=False)}

    def candidates(self, role: str) -> dict[str, GasGenotype]:
        return {PREDICTION: derive(self.evaluation_choices(role), self.settings)}

    def inherited(self, role: str, genotype: GasGenotype) -> keras.Model:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The network of the genotype with copies of the supernet's weights."""
        choices_of(genotype, self.settings)
        return inherited_network(self.supernet, genotype)

    def entropies(self, role: str) -> dict[str, float]:
        return super().entropies(role) if role == STUDENT else {}

    def regularization(self) -> Any:
        """Sum of the solution space regularization of all families."""
        if not self.ssr_weight:
            return 0.0
        regularizer = SolutionSpaceRegularizer(self.ssr_weight)
        return sum(regularizer(rows) for rows in self.architecture().values())


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
    shapes = group_shapes(settings)
    return {
        family: ops.one_hot(np.asarray(each, "int32"), shapes[family][-1], dtype="float32")
        for family, each in rows.items()
    }


def largest_genotype(settings: GasSettings) -> GasGenotype:
    """The network with a 3x3 convolution on every edge."""
    indexes = {
        family: np.full(shape[:-1], CELL_OPERATIONS.index(LARGEST))
        for family, shape in group_shapes(settings).items()
    }
    return genotype_of(indexes, settings)
