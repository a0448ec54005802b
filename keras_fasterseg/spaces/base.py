"""Interface of a search space for measuring, searching, training and drawing."""

import abc
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_fasterseg.latency.interpolation import CHECKED_OPERATIONS, interpolated_sample
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import SERVING, Work, operation_of, rows_of, total_work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.picture import Picture, chain_picture
from keras_fasterseg.spaces.roles import STUDENT
from keras_fasterseg.spaces.stage import Stage

Tensor = Any
Size = tuple[int, int]

_CONCENTRATIONS = (0.1, 10.0)

CHECK_SEED = 3
"""Seed of the interpolated operations that are measured to state the error."""

Genes = Mapping[str, Sequence[int]]
"""Choices of a network by family; see `SearchSpace.genes`."""

Choices = Any
"""Settings of one pass of a supernet: a structure of tensors that only its search space reads."""


class SearchModel(abc.ABC):
    """A built supernet and the architectures searched in it.

    Attributes:
        supernet: The supernet; its trainable variables are the weights.
        architectures: By role, the layer whose trainable variables are the architecture parameters.
        num_classes: Number of classes.
        class_weights: Weight of each class in the loss, set before the first step; `None`: all
            equal.
        samples_paths: Whether pretraining runs single networks instead of blends of all, if the
            space has both; set before the first step.
        ssr_weight: Weight of the solution space regularization in `regularization`, set before the
            first step.
    """

    supernet: keras.Model
    architectures: Mapping[str, keras.layers.Layer]
    num_classes: int
    class_weights: Sequence[float] | None = None
    samples_paths: bool = False
    ssr_weight: float = 0.0

    def pretraining_choices(self, iteration: Tensor, random: keras.random.SeedGenerator) -> Choices:
        """Settings whose losses a pretraining step sums. Default: those of the search.

        Args:
            iteration: Number of steps before this one, a scalar integer tensor.
            random: Source of random choices; checkpoints store its state.
        """
        return self.search_choices(ops.convert_to_tensor(1.0))[0]

    def search_choices(self, temperature: Tensor) -> tuple[Choices, Choices]:
        """Settings whose losses a search step sums, and the setting that the penalty uses.

        Default: both are the student's setting in evaluation.

        Args:
            temperature: Temperature of the sampling, a scalar tensor.
        """
        student = self.evaluation_choices(STUDENT)
        return student, student

    @abc.abstractmethod
    def evaluation_choices(self, role: str) -> Choices:
        """Setting for evaluating the current architecture of `role` in the supernet."""

    def discretized(self, choices: Choices) -> Choices:
        """Returns `choices` with every row (a mixture) as the one-hot of its likeliest entry."""

        def one_hot(rows: Tensor) -> Tensor:
            return ops.one_hot(ops.argmax(rows, axis=-1), rows.shape[-1], dtype="float32")

        return keras.tree.map_structure(one_hot, choices)

    @abc.abstractmethod
    def loss(
        self, images: Tensor, labels: Tensor, choices: Choices, frozen: bool = False
    ) -> Tensor:
        """Loss of all settings in `choices`, a scalar; the cross-entropy uses `class_weights`.

        Args:
            images: `(batch, height, width, 3)`, normalised.
            labels: `(batch, height, width)`; 255 is ignored.
            choices: Settings from `pretraining_choices` or `search_choices`.
            frozen: True if no gradient to the weights is needed.
        """

    def passes(self, choices: Choices) -> Sequence[Choices]:
        """Splits `choices` into settings whose losses add up to the loss of `choices`.

        An engine may run them one after another to save memory. They are structures (tuples or
        dictionaries) of float tensors of the same shapes, which `loss` accepts. Default: one pass.
        """
        return [choices]

    @abc.abstractmethod
    def predictions(self, images: Tensor, choices: Choices) -> Mapping[str, Tensor]:
        """Logits of every prediction by name, for one setting in inference mode."""

    @abc.abstractmethod
    def candidates(self, role: str) -> Mapping[str, Genotype]:
        """Networks derived from the current architecture, by the prediction that scores each."""

    @abc.abstractmethod
    def inherited(self, role: str, genotype: Genotype) -> keras.Model:
        """A network with the supernet's weights, as far as both have them, to score it.

        It may share them, as `SupernetSetting` does, or have copies.

        Args:
            role: Role whose stem and heads it has.
            genotype: The network.

        Returns:
            A model of normalised images that predicts logits, at any size.

        Raises:
            ValueError: The genotype is not in the search space.
        """

    def entropies(self, role: str) -> dict[str, float]:
        """Mean entropy of the choices of each family, as a share of the maximum (1: undecided).

        The default expects choices to be a dictionary from families to rows of probabilities.
        """
        choices = self.evaluation_choices(role)
        return {family: float(mean_entropy(rows)) for family, rows in choices.items()}

    def regularization(self) -> Tensor:
        """Additional term of the architectures' loss, added to the latency penalty. Default: 0."""
        return 0.0

    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        """Callbacks that run after every search epoch, before candidates are derived.

        A pruning callback edits weights of the architectures, which checkpoints store. It may add
        the number of choices left to the logs, as `choices_left_FAMILY`; they are recorded and
        drawn. A callback with further state needs `get_state` and `set_state`.
        """
        return ()


class SearchSpace(abc.ABC):
    """Set of networks that a search can choose from, and its settings.

    Attributes:
        name: Name that users enter.
        roles: Roles of the networks searched together: `STUDENT`, optionally preceded by `TEACHER`.
        families: Groups of architecture parameters; entropies are recorded and drawn per family.
        settings_class: Class of the settings.
        network: Class of the derived networks.
        genotype: Class of the genotypes.
        single_level: True if a step trains weights and architectures on the same batch. False:
            each has its own half of the training images.
        pretrains: Whether the weights are trained alone before the search.
        settings_a_step: Number of settings whose losses a step sums.
        penalty_shares: Possible values of `shares` in `penalty`.
        has_own_ssr: True if the space's own settings weight its solution space regularization.

    Args:
        settings: Instance of `settings_class`. Default: `settings_class()`.
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
    penalty_shares: ClassVar[tuple[str, ...]] = ("paper",)
    has_own_ssr: ClassVar[bool] = False

    def __init__(self, settings: Any = None):
        self.settings = self.settings_class() if settings is None else settings

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchSpace):
            return False
        return type(self) is type(other) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash((type(self), self.settings))

    def record(self) -> dict[str, Any]:
        """Search space and settings, in the form that stages record."""
        return {"space": self.name, "supernet": self.settings}

    def operations_record(self) -> dict[str, Any]:
        """Like `record`, for the latency table: without settings that change no operation.

        These are at their defaults in the settings' property `of_operations`, if they have it.
        """
        return self.record() | {"supernet": getattr(self.settings, "of_operations", self.settings)}

    # === The search ===

    @abc.abstractmethod
    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> SearchModel:
        """Makes a new supernet with its architectures.

        Args:
            num_classes: Number of classes.
            seed: Seed of the sampling.
            dtype: Keras's dtype policy of the supernet. Architectures are always float32.
        """

    @abc.abstractmethod
    def penalty(
        self, table: LatencyTable, num_classes: int, target_ms: float, shares: str = "paper"
    ) -> Callable[[Choices], Tensor]:
        """Makes the penalty, a function of the student's expected latency and `target_ms`.

        The returned function of `Choices` is differentiable. If it is smallest at the target rather
        than for the fastest network, it also has a method `expected_ms(choices)`: lambda then
        follows this expected latency instead of the candidates.

        Args:
            table: Latencies of the operations; must have the rows of `required_keys`.
            num_classes: Number of classes.
            target_ms: Latency at the middle of the band, in milliseconds.
            shares: Method of dividing the latency among families of choices: "paper" for the
                method in the paper of the search space, or another of
                `penalty_shares`.

        Raises:
            KeyError: A row is missing in the table.
            ValueError: `target_ms` is not positive, or `shares` is unknown.
        """

    def check_single_term(self, shares: str) -> None:
        """Raises `ValueError` unless `shares` is "paper", for a penalty of a single term."""
        require(
            shares == "paper",
            f'`shares` must be "paper": the penalty is a single term. Received: {shares!r}',
        )

    # === Cost ===

    @abc.abstractmethod
    def supernet_keys(self, size: Size, num_classes: int) -> Sequence[OpKey]:
        """Operations of one supernet pass (one image, one setting), repeated as often as they run.

        Override `required_keys` if derived networks run other operations than the supernet.
        Override `supernet_work` if the supernet has more weights than these operations.
        """

    def required_keys(self, size: Size, num_classes: int, role: str = STUDENT) -> tuple[OpKey, ...]:
        """All rows that price a network of `role` on images of `size`, without duplicates.

        These are all operations that such a network can run, or the rows from which their latency
        is interpolated (`latency.operations.rows_of`). `size` is height and width in pixels.
        """
        keys = dict.fromkeys(self.supernet_keys(size, num_classes))
        return tuple(dict.fromkeys(row for key in keys for row in rows_of(key)))

    def measured_keys(self, size: Size, num_classes: int) -> tuple[OpKey, ...]:
        """Keys of the latency table to measure: rows of all roles, and `SERVING`.

        If the space has interpolated operations, a few from random networks follow. They are
        measured to state the error of interpolation.
        """
        keys = [
            key for role in self.roles[::-1] for key in self.required_keys(size, num_classes, role)
        ]
        checked = ()
        if any(operation_of(key).neighbours is not None for key in keys):
            generator = np.random.default_rng(CHECK_SEED)
            drawn = [self.random_genotype(generator) for _ in range(CHECKED_OPERATIONS)]
            stages = [stage for each in drawn for stage in self.stages(each, size, num_classes)]
            checked = interpolated_sample(
                (key for stage in stages if not stage.training_only for key in stage.keys),
                generator,
            )
        return tuple(dict.fromkeys((*keys, OpKey(SERVING, *size, 3, num_classes, 1), *checked)))

    def supernet_work(self, size: Size, num_classes: int) -> Work:
        """Work of one supernet pass (one image, one setting), with all weights of the supernet."""
        return total_work(self.supernet_keys(size, num_classes))

    # === Networks ===

    @abc.abstractmethod
    def stages(self, genotype: Genotype, size: Size, num_classes: int) -> tuple[Stage, ...]:
        """Steps of a network with their operations, in an executable order."""

    def build(self, genotype: Genotype, num_classes: int, **kwargs) -> SegmentationNetwork:
        """Builds the network of a genotype; `kwargs` are passed to `SegmentationNetwork`."""
        return self.network(genotype, num_classes, **kwargs)

    @abc.abstractmethod
    def random_genotype(self, generator: np.random.Generator) -> Genotype:
        """Draws a random network that the search could derive for the student."""

    @abc.abstractmethod
    def genes(self) -> dict[str, tuple[int, ...]]:
        """Number of options of each choice of a network, by family, for evolution.

        Genes of several networks may describe the same network.
        """

    @abc.abstractmethod
    def from_genes(self, genes: Genes) -> Genotype:
        """The student with these choices: for each, the number of its option, from 0."""

    def random_genes(self, generator: np.random.Generator) -> Genes:
        """Draws genes of small and large networks.

        Uniform choices would give networks of almost equal latency, because many average out. Each
        family therefore first draws preferences, from almost a single option to all alike; choices
        of different numbers of options are uniform.
        """
        drawn = {}
        for family, counts in self.genes().items():
            if len(set(counts)) == 1:
                preferences = np.exp(log_preferences(generator, counts[0]))
                drawn[family] = generator.choice(
                    counts[0], len(counts), p=preferences / preferences.sum()
                )
            else:
                drawn[family] = generator.integers(counts)
        return {family: tuple(map(int, indexes)) for family, indexes in drawn.items()}

    @abc.abstractmethod
    def largest_genotype(self, role: str = STUDENT) -> Genotype:
        """The most expensive network that a search can derive for `role`."""

    @classmethod
    def presets(cls) -> Mapping[str, pathlib.Path]:
        """Files of published genotypes, by name."""
        return {}

    def picture(self, genotype: Genotype, width: float, serving: bool = False) -> Picture:
        """Lays a network out as a picture.

        Args:
            genotype: The network.
            width: Width of the picture, in pixels.
            serving: Whether to add a box for the steps around the network, from images to class
                ids.
        """
        return chain_picture(self.stages(genotype, (1024, 1024), 19), 1024, width, serving)


def log_preferences(generator: np.random.Generator, count: int) -> np.ndarray:
    """Logarithms of random probabilities `(count,)`, between one-sided and uniform."""
    concentration = np.exp(generator.uniform(*np.log(_CONCENTRATIONS)))
    preferences = generator.dirichlet(np.full(count, concentration))
    # A probability may underflow to 0; a logit must be finite.
    return np.log(np.maximum(preferences, np.finfo(np.float64).tiny))


def mean_entropy(rows: Tensor) -> Tensor:
    """Mean entropy of rows of probabilities, as a share of the maximum (1: undecided).

    Rows of one entry are decided: 0.
    """
    maximum = math.log(rows.shape[-1]) or 1.0
    return -ops.mean(ops.sum(rows * ops.log(rows + 1e-9), axis=-1)) / maximum
