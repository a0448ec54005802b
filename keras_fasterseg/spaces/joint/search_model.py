"""The joint supernet with its architecture, for a search."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.losses.solution_space_regularization import SolutionSpaceRegularizer
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.base import SearchModel, mean_entropy
from keras_fasterseg.spaces.joint.architecture import (
    EARLY_DEPTH,
    LATE_DEPTH,
    JointArchitecture,
    fixed_choices,
    group_shapes,
)
from keras_fasterseg.spaces.joint.choices import (
    FAMILIES,
    BlockOperation,
    Choices,
    operations,
    with_scaled_gradient,
)
from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype
from keras_fasterseg.spaces.joint.largest import largest_choices
from keras_fasterseg.spaces.joint.settings import JointSettings
from keras_fasterseg.spaces.joint.shrinking import ProgressiveShrinking
from keras_fasterseg.spaces.joint.supernet import JointSupernet
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.spaces.supernet_setting import SupernetSetting

LABEL_STRIDE = 8
PREDICTION = "prediction"


class JointSearch(SearchModel):
    """Supernet, the student's architecture, and the widest network as the teacher.

    The teacher is fixed: it has no architecture parameters, and the search only scores it.

    Args:
        settings: Settings of the space.
        num_classes: Number of classes.
        seed: Seed of the dropout.
        dtype: Keras's dtype policy of the supernet.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271). The resolution of the loss, 1/8,
        and the teacher are not specified in the paper; our choices.
    """

    def __init__(
        self, settings: JointSettings, num_classes: int, seed: int, dtype: str = "float32"
    ):
        self.settings = settings
        self.num_classes = num_classes
        self.supernet = JointSupernet(settings, num_classes, seed, dtype=dtype, name="supernet")
        self.supernet.build()
        self.architectures = {
            TEACHER: keras.layers.Identity(name=TEACHER),
            STUDENT: JointArchitecture(settings, name=STUDENT),
        }
        self._regularizers = {
            "depth": SolutionSpaceRegularizer(settings.depth_regularization),
            "operation": SolutionSpaceRegularizer(settings.operation_regularization),
            "middle": SolutionSpaceRegularizer(settings.width_regularization),
            "last": SolutionSpaceRegularizer(settings.width_regularization),
        }

    @property
    def architecture(self) -> JointArchitecture:
        """The student's architecture."""
        return self.architectures[STUDENT]  # pyright: ignore[reportReturnType]

    def search_choices(self, temperature: Any) -> tuple[Choices, Choices]:
        """The student's probabilities, for the loss (with its weight as a factor of the gradient)
        and for the penalty.

        The paper minimises `100 * cross-entropy + regularization + penalty` for the architecture.
        The factor is applied to the gradient, because weights are trained on the same batch.
        """
        choices = self.architecture.probabilities()
        return with_scaled_gradient(choices, self.settings.cross_entropy_weight), choices

    def evaluation_choices(self, role: str) -> Choices:
        return (
            self.architecture.probabilities() if role == STUDENT else largest_choices(self.settings)
        )

    def loss(self, images: Any, labels: Any, choices: Choices, frozen: bool = False) -> Any:
        logits = self.supernet(images, choices, training=True)
        labels = labels[:, ::LABEL_STRIDE, ::LABEL_STRIDE]
        return ohem_cross_entropy(
            labels, logits, threshold=1.0, min_kept=0, class_weights=self.class_weights
        )

    def predictions(self, images: Any, choices: Choices) -> dict[str, Any]:
        return {PREDICTION: self.supernet(images, choices, training=False)}

    def candidates(self, role: str) -> dict[str, JointGenotype]:
        return {PREDICTION: derive(self.evaluation_choices(role), self.settings)}

    def inherited(self, role: str, genotype: JointGenotype) -> keras.Model:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The supernet under the choices of the genotype: every network is one setting."""
        return SupernetSetting(self.supernet, choices_of(genotype, self.settings))

    def entropies(self, role: str) -> dict[str, float]:
        if role == TEACHER:
            return {}
        choices = self.architecture.probabilities()
        groups = {
            family: [each for each in _as_tuple(choices[family]) if each.shape[-1] > 1]
            for family in FAMILIES
        }
        return {
            family: float(np.mean([mean_entropy(each) for each in several]))
            for family, several in groups.items()
            if several
        }

    def regularization(self) -> Any:
        """Sum of the solution space regularization of all families."""
        choices = self.architecture.probabilities()
        return sum(
            ops.mean(ops.stack([regularizer(groups) for groups in _as_tuple(choices[family])]))
            for family, regularizer in self._regularizers.items()
        )

    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        return (ProgressiveShrinking(self.architecture),)


def derive(choices: Choices, settings: JointSettings) -> JointGenotype:
    """The network of the likeliest choice of every group."""
    candidates = operations(settings)
    depths = [int(ops.argmax(depth)) + 1 for depth in choices["depth"]]
    picked = {
        name: ops.convert_to_numpy(ops.argmax(choices[name], axis=-1))
        for name in ("operation", "middle", "last")
    }
    found = []
    for first, depth, filters in (
        (0, depths[0], settings.early_filters),
        (settings.early_blocks, depths[1], settings.late_filters),
    ):
        widths, blocks = settings.widths(filters), []
        for block in range(first, first + depth):
            index = picked["operation"][block]
            operation = candidates[index]
            middle, last = (widths[picked[name][block, index]] for name in ("middle", "last"))
            blocks.append(JointBlock(operation.dilation, operation.pooled, middle, last))
        found.append(tuple(blocks))
    filters = settings.stem_filters, settings.early_filters, settings.late_filters
    return JointGenotype("joint", *filters, *found)


def choices_of(genotype: JointGenotype, settings: JointSettings) -> Choices:
    """The one-hot choices that `derive` turns into `genotype`.

    Raises:
        ValueError: The genotype is not in the search space.
    """
    filters = settings.stem_filters, settings.early_filters, settings.late_filters
    own = genotype.stem_filters, genotype.early_filters, genotype.late_filters
    require(own == filters, f"The supernet has the filters {filters}. Received: {own}")
    candidates = operations(settings)
    picked = {name: np.zeros(shape[:-1], "int32") for name, shape in group_shapes(settings).items()}
    early, late = settings.early_blocks, settings.late_blocks
    for name, first, most, blocks, widths in (
        (EARLY_DEPTH, 0, early, genotype.early, settings.early_filters),
        (LATE_DEPTH, early, late, genotype.late, settings.late_filters),
    ):
        require(
            len(blocks) <= most,
            f"The supernet has {most} blocks at this resolution. Received: {len(blocks)}",
        )
        picked[name][...] = len(blocks) - 1
        widths = settings.widths(widths)
        for row, block in enumerate(blocks, start=first):
            operation = BlockOperation(block.dilation, block.pooled)
            require(
                operation in candidates and {block.middle, block.filters} <= set(widths),
                f"The search space has no block such as {block}",
            )
            index = candidates.index(operation)
            picked["operation"][row] = index
            picked["middle"][row, index] = widths.index(block.middle)
            picked["last"][row, index] = widths.index(block.filters)
    return fixed_choices(settings, picked)


def _as_tuple(groups: Any) -> tuple[Any, ...]:
    return groups if isinstance(groups, tuple) else (groups,)
