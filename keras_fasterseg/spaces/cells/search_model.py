"""Base class of searches in spaces of cells."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.losses.solution_space_regularization import SolutionSpaceRegularizer
from keras_fasterseg.spaces.base import SearchModel
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

LABEL_STRIDE = 8
PREDICTION = "prediction"
LARGEST = "conv"
"""Operation of every edge of the largest network: of all, it has the most multiply-adds."""


class CellSearch(SearchModel):
    """Supernet, the student's architecture, and a fixed network as the teacher.

    The teacher has no architecture parameters, and the search only scores it. The resolution of
    the loss, 1/8, and the teacher are our choices.

    Args:
        supernet: The supernet, not built, with its `num_classes`.
        architecture: The student's architecture: a layer of no inputs that returns choices, with
            the arguments `training` and `temperature`.
        derived: Families of choices that follow from others; they count in no entropy.
    """

    def __init__(
        self, supernet: Any, architecture: keras.layers.Layer, derived: tuple[str, ...] = ()
    ):
        self.num_classes = supernet.num_classes
        self.supernet = supernet
        self.supernet.build()
        self.architectures = {TEACHER: keras.layers.Identity(name=TEACHER), STUDENT: architecture}
        self._derived = derived

    @property
    def architecture(self) -> Callable[..., dict[str, Any]]:
        """The student's architecture."""
        return self.architectures[STUDENT]

    def search_choices(self, temperature: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        choices = self.architecture(training=True, temperature=temperature)
        return choices, choices

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
        return {family: each for family, each in found.items() if family not in self._derived}

    def regularization(self) -> Any:
        """Sum of the solution space regularization of all families."""
        if not self.ssr_weight:
            return 0.0
        regularizer = SolutionSpaceRegularizer(self.ssr_weight)
        choices = self.architecture()
        return sum(
            regularizer(rows) for family, rows in choices.items() if family not in self._derived
        )


def one_hot_choices(indexes: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """One-hot choices of these numbers, by family.

    Args:
        indexes: Numbers of the choices.
        shapes: Shapes of the choices by family.
    """
    return {
        family: ops.one_hot(ops.cast(rows, "int32"), shapes[family][-1], dtype="float32")
        for family, rows in indexes.items()
    }
