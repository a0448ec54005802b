"""Searches in spaces of cells."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.losses.solution_space_regularization import SolutionSpaceRegularizer
from keras_fasterseg.spaces.base import SearchModel
from keras_fasterseg.spaces.cells.space import CellSpace
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

LABEL_STRIDE = 8
PREDICTION = "prediction"


class CellSearch(SearchModel):
    """Supernet, the student's architecture, and a fixed network as the teacher.

    The teacher has no architecture parameters, and the search only scores it. The resolution of
    the loss, 1/8, and the teacher are our choices.

    Args:
        space: The space.
        supernet: The supernet, not built, with its `num_classes`.
        architecture: The student's architecture: a layer of no inputs that returns choices, with
            the arguments `training` and `temperature`.
        inherit: Function of the supernet and a genotype: the network with copies of the weights.
        callbacks: Callbacks of the search; see `SearchModel.callbacks`.
    """

    def __init__(
        self,
        space: CellSpace,
        supernet: Any,
        architecture: keras.layers.Layer,
        inherit: Callable[[Any, Any], keras.Model],
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ):
        self.space = space
        self.num_classes = supernet.num_classes
        self.supernet = supernet
        self.supernet.build()
        self.architectures = {TEACHER: keras.layers.Identity(name=TEACHER), STUDENT: architecture}
        self._inherit = inherit
        self._callbacks = callbacks

    @property
    def architecture(self) -> Callable[..., dict[str, Any]]:
        """The student's architecture."""
        return self.architectures[STUDENT]

    def search_choices(self, temperature: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        choices = self.architecture(training=True, temperature=temperature)
        return choices, choices

    def evaluation_choices(self, role: str) -> dict[str, Any]:
        if role == STUDENT:
            return self.architecture()
        return self.space.choices_of(self.space.largest_genotype())

    def candidates(self, role: str) -> dict[str, Genotype]:
        return {PREDICTION: self.space.derive(self.evaluation_choices(role))}

    def inherited(self, role: str, genotype: Genotype) -> keras.Model:
        """The network of the genotype with copies of the supernet's weights."""
        self.space.choices_of(genotype)
        return self._inherit(self.supernet, genotype)

    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        return self._callbacks

    def loss(self, images: Any, labels: Any, choices: dict[str, Any], frozen: bool = False) -> Any:
        logits = self.supernet(images, choices, training=True, frozen=frozen)
        labels = labels[:, ::LABEL_STRIDE, ::LABEL_STRIDE]
        logits = resize_bilinear(logits, tuple(labels.shape[1:3]))
        return ohem_cross_entropy(
            labels, logits, threshold=1.0, min_kept=0, class_weights=self.class_weights
        )

    def predictions(self, images: Any, choices: dict[str, Any]) -> dict[str, Any]:
        return {PREDICTION: self.supernet(images, choices, training=False)}

    def entropies(self, role: str) -> dict[str, float]:
        found = super().entropies(role) if role == STUDENT else {}
        return {family: each for family, each in found.items() if family in self.space.families}

    def regularization(self) -> Any:
        """Sum of the solution space regularization of all families."""
        if not self.ssr_weight:
            return 0.0
        regularizer = SolutionSpaceRegularizer(self.ssr_weight)
        choices = self.architecture()
        return sum(
            regularizer(rows) for family, rows in choices.items() if family in self.space.families
        )
