"""The interface between a search space and everything that measures, searches, trains or draws."""

import abc
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import SERVING, Work, total_work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.picture import Picture, chain_picture
from keras_fasterseg.spaces.roles import STUDENT
from keras_fasterseg.spaces.stage import Stage

Tensor = Any
Size = tuple[int, int]

Choices = Any
"""The settings of a supernet's pass: a structure of tensors that only its space looks into."""


class SearchModel(abc.ABC):
    """A built supernet, and the architectures that are searched in it.

    Attributes:
        supernet: Its trainable variables are the weights.
        architectures: By role, the layer whose trainable variables are searched.
        num_classes: Number of classes.
    """

    supernet: keras.Model
    architectures: Mapping[str, keras.layers.Layer]
    num_classes: int

    def pretraining_choices(self, iteration: Tensor, random: keras.random.SeedGenerator) -> Choices:
        """The settings that a step of pretraining sums; by default those of the search.

        Args:
            iteration: Steps before this one, a scalar integer tensor.
            random: Source of random choices; its state belongs to checkpoints.
        """
        return self.search_choices(ops.convert_to_tensor(1.0))[0]

    def search_choices(self, temperature: Tensor) -> tuple[Choices, Choices]:
        """The settings that a step of the search sums, and that of them which the penalty reads.

        By default both are the student's, as it is evaluated.

        Args:
            temperature: Of the sampling, a scalar tensor.
        """
        student = self.evaluation_choices(STUDENT)
        return student, student

    @abc.abstractmethod
    def evaluation_choices(self, role: str) -> Choices:
        """The setting that evaluates the present architecture of `role` in the supernet."""

    def discretized(self, choices: Choices) -> Choices:
        """`choices` with every mixture, a row of its tensors, replaced by its likeliest entry."""

        def one_hot(rows: Tensor) -> Tensor:
            return ops.one_hot(ops.argmax(rows, axis=-1), rows.shape[-1], dtype="float32")

        return keras.tree.map_structure(one_hot, choices)

    @abc.abstractmethod
    def loss(
        self, images: Tensor, labels: Tensor, choices: Choices, frozen: bool = False
    ) -> Tensor:
        """The loss of all settings in `choices`, a scalar.

        Args:
            images: `(batch, height, width, 3)`, normalised.
            labels: `(batch, height, width)`; 255 does not count.
            choices: As `pretraining_choices` or `search_choices` gave them.
            frozen: Whether no gradient to the weights will be asked for.
        """

    @abc.abstractmethod
    def predictions(self, images: Tensor, choices: Choices) -> Mapping[str, Tensor]:
        """Logits of every prediction by name, under one setting and as in inference."""

    @abc.abstractmethod
    def candidates(self, role: str) -> Mapping[str, Genotype]:
        """The networks that would be derived now, by the prediction that scores each."""

    def entropies(self, role: str) -> dict[str, float]:
        """By family, the mean entropy of its choices as a share of its maximum (1: undecided).

        By default choices are a dictionary of rows of probabilities, by family.
        """
        choices = self.evaluation_choices(role)
        return {family: float(mean_entropy(rows)) for family, rows in choices.items()}

    def regularization(self) -> Tensor:
        """A term of the architectures' loss besides the latency penalty."""
        return 0.0

    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        """Run after every epoch of the search, before candidates are derived.

        One that prunes edits weights of the architectures, which checkpoints hold; a memory of its
        own has `get_state` and `set_state`.
        """
        return ()


class SearchSpace(abc.ABC):
    """The networks that can be searched, with the settings that bound them.

    Attributes:
        name: The name that users give.
        roles: Roles of the networks that are searched together: `STUDENT`, perhaps after `TEACHER`.
        families: Groups of architecture parameters, as entropies are recorded and drawn.
        network: Class of its derived networks.
        genotype: Class of its genotypes.
        single_level: Whether a step trains weights and architectures on one batch; else each has
            its own half of the training images.
        pretrains: Whether the weights are trained alone before the search.
        settings_a_step: Settings that a step sums.

    Args:
        settings: An object of the class `settings_class`; None takes the defaults.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[str, ...]] = (STUDENT,)
    families: ClassVar[tuple[str, ...]]
    settings_class: ClassVar[type]
    genotype: ClassVar[type[Genotype]]
    network: ClassVar[type[SegmentationNetwork]]
    single_level: ClassVar[bool] = False
    pretrains: ClassVar[bool] = True
    settings_a_step: ClassVar[int] = 1

    def __init__(self, settings: Any = None):
        self.settings = self.settings_class() if settings is None else settings

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchSpace):
            return False
        return type(self) is type(other) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash((type(self), self.settings))

    def record(self) -> dict[str, Any]:
        """The space and its settings as stages record them."""
        return {"space": self.name, "supernet": self.settings}

    # === The search ===

    @abc.abstractmethod
    def search_model(self, num_classes: int, seed: int) -> SearchModel:
        """A new supernet with its architectures; `seed` is that of their sampling."""

    @abc.abstractmethod
    def penalty(
        self, table: LatencyTable, target_ms: float, shares: str = "paper"
    ) -> Callable[[Choices], Tensor]:
        """The student's expected latency over `target_ms`, a differentiable function of `Choices`.

        Args:
            table: Latencies of the operations; must have the rows of `required_keys`.
            target_ms: The latency that counts as 1.
            shares: How the latency is divided among families of choices: "paper" for the way of the
                space's paper, or another of the names that `SearchSettings` allows.

        Raises:
            KeyError: The table lacks a row.
            ValueError: `target_ms` is not positive, or the space does not know `shares`.
        """

    # === Cost ===

    @abc.abstractmethod
    def supernet_keys(self, size: Size, num_classes: int) -> Sequence[OpKey]:
        """The operations of a pass of one image under one setting, as often as they run.

        A space whose networks run other operations than its supernet overrides `required_keys`,
        one whose supernet has more weights than these operations `supernet_work`.
        """

    def required_keys(self, size: Size, num_classes: int, role: str = STUDENT) -> tuple[OpKey, ...]:
        """Every operation that a network of `role` can run on images of `size`, each once."""
        return tuple(dict.fromkeys(self.supernet_keys(size, num_classes)))

    def measured_keys(self, size: Size, num_classes: int) -> tuple[OpKey, ...]:
        """The rows of a table that is measured here: of all roles, and what surrounds them."""
        keys = [
            key for role in self.roles[::-1] for key in self.required_keys(size, num_classes, role)
        ]
        return tuple(dict.fromkeys((*keys, OpKey(SERVING, *size, 3, num_classes, 1))))

    def supernet_work(self, size: Size, num_classes: int) -> Work:
        """A pass of one image under one setting, and the weights of the whole supernet."""
        return total_work(self.supernet_keys(size, num_classes))

    # === Networks ===

    @abc.abstractmethod
    def stages(self, genotype: Genotype, size: Size, num_classes: int) -> tuple[Stage, ...]:
        """The steps of a network with their operations, in an order in which they can run."""

    def build(self, genotype: Genotype, num_classes: int, **kwargs) -> SegmentationNetwork:
        """The network of a genotype; `kwargs` as of `SegmentationNetwork`."""
        return self.network(genotype, num_classes, **kwargs)

    @abc.abstractmethod
    def random_genotype(self, generator: np.random.Generator) -> Genotype:
        """A network that the search could derive for the student, drawn at random."""

    @abc.abstractmethod
    def largest_genotype(self, role: str = STUDENT) -> Genotype:
        """The most expensive network that a search can end with for `role`."""

    @classmethod
    def presets(cls) -> Mapping[str, pathlib.Path]:
        """Files of published genotypes, by name."""
        return {}

    def picture(self, genotype: Genotype, width: float, serving: bool = False) -> Picture:
        """A network laid out for its picture.

        Args:
            genotype: The network.
            width: Of the picture, in pixels.
            serving: Whether to add a box for what surrounds it from images to class ids.
        """
        return chain_picture(self.stages(genotype, (1024, 1024), 19), 1024, width, serving)


def mean_entropy(rows: Tensor) -> Tensor:
    """Mean entropy of rows of probabilities, as a share of its maximum (1: undecided)."""
    return -ops.mean(ops.sum(rows * ops.log(rows + 1e-9), axis=-1)) / math.log(rows.shape[-1])
