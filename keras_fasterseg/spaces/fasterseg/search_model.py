"""FasterSeg's supernet with the architectures of teacher and student."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_fasterseg.losses.solution_space_regularization import SolutionSpaceRegularizer
from keras_fasterseg.spaces.base import SearchModel
from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.choices import (
    Choices,
    one_hot_widths,
    stack_settings,
    uniform_widths,
    width_shapes,
)
from keras_fasterseg.spaces.fasterseg.derive import derive
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.inheritance import inherited_network
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions
from keras_fasterseg.spaces.fasterseg.supernet_loss import SupernetLoss
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

BRANCHES_BY_PREDICTION = {"scale_8_32": (32, 8), "scale_16_32": (32, 16)}
"""Branches of the network scored by each prediction of the supernet."""


class FasterSegSearch(SearchModel):
    """Supernet, both architectures, and the four settings of a step.

    Args:
        settings: Settings of the supernet.
        num_classes: Number of classes.
        seed: Seed for sampling widths.
        dtype: Keras's dtype policy of the supernet.

    Reference:
        FasterSeg, sections 3.2 to 4.2 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self, settings: FasterSegSettings, num_classes: int, seed: int, dtype: str = "float32"
    ):
        self.num_classes = num_classes
        self.supernet = Supernet(
            num_classes,
            settings.num_layers,
            settings.base_filters,
            settings.width_multipliers,
            stem_head_widths=settings.stem_head_widths,
            dtype=dtype,
            name="supernet",
        )
        self.supernet.build()
        self._widths = len(settings.width_multipliers)
        self.architectures = {
            TEACHER: Architecture(TEACHER, settings.num_layers, self._widths, name=TEACHER),
            STUDENT: Architecture(
                STUDENT, settings.num_layers, self._widths, seed=seed, name=STUDENT
            ),
        }
        self.supernet_loss = SupernetLoss(self.supernet)

    def pretraining_choices(self, iteration: Any, random: keras.random.SeedGenerator) -> Choices:
        """Settings with the largest, the smallest and two random widths.

        Even steps use the teacher's stem and heads, odd steps the student's (the released code
        never trains the student's). Operations and paths are blended by the architectures'
        probabilities, uniform at the start; if `samples_paths`, every setting has a random one of
        them in every cell and node instead.
        """
        is_student = ops.equal(ops.cast(iteration, "int32") % 2, 1)
        widths = (
            self._uniform(self._widths - 1),
            self._uniform(0),
            self._random(random),
            self._random(random),
        )
        if self.samples_paths:
            settings = [Choices(*self._random_paths(random), each, is_student) for each in widths]
            return dataclasses.replace(stack_settings(settings), role=is_student)
        teacher, student = (self.architectures[role]() for role in (TEACHER, STUDENT))
        alphas, betas = (
            tuple(
                ops.where(is_student, ours, theirs)
                for ours, theirs in zip(
                    getattr(student, family), getattr(teacher, family), strict=True
                )
            )
            for family in ("alphas", "betas")
        )
        settings = [Choices(alphas, betas, each, is_student) for each in widths]
        return dataclasses.replace(stack_settings(settings), role=is_student)

    def search_choices(self, temperature: Any) -> tuple[Choices, Choices]:
        """Settings of the teacher, and of the student with sampled, widest and narrowest widths."""
        widest, narrowest = self._uniform(self._widths - 1), self._uniform(0)
        student = self.architectures[STUDENT](training=True, temperature=temperature)
        settings = (
            dataclasses.replace(self.architectures[TEACHER](), widths=widest),
            student,
            dataclasses.replace(student, widths=widest),
            dataclasses.replace(student, widths=narrowest),
        )
        return stack_settings(settings), student

    def evaluation_choices(self, role: str) -> Choices:
        return self.architectures[role]()

    def discretized(self, choices: Choices) -> Choices:
        def one_hot(rows):
            return ops.one_hot(ops.argmax(rows, axis=-1), rows.shape[-1], dtype="float32")

        return dataclasses.replace(
            choices,
            alphas=tuple(one_hot(rows) for rows in choices.alphas),
            betas=tuple(one_hot(rows) for rows in choices.betas),
        )

    def passes(self, choices: Choices) -> list[dict[str, Any]]:
        count = choices.settings
        named = isinstance(choices.role, tuple)
        roles: Any = choices.role if named else (choices.role,) * count
        students = [
            float(role == STUDENT) if isinstance(role, str) else ops.cast(role, "float32")
            for role in roles
        ]
        return [
            {
                **{
                    family: tuple(rows[index] for rows in getattr(choices, family))
                    for family in ("alphas", "betas", "widths")
                },
                "student": students[index],
                # Consecutive settings of a role share the stem and its statistics.
                "first": float(index == 0 or (named and roles[index] != roles[index - 1])),
            }
            for index in range(count)
        ]

    def loss(
        self, images: Any, labels: Any, choices: Choices | dict[str, Any], frozen: bool = False
    ) -> Any:
        if isinstance(choices, Choices):
            return self._loss(images, labels, choices, frozen)
        statistics = [
            variable
            for stem in self.supernet.stems.values()
            for variable in stem.non_trainable_variables
        ]
        before = [ops.copy(variable) for variable in statistics]
        families = {name: choices[name] for name in ("alphas", "betas", "widths")}
        own = Choices(**families, role=choices["student"] > 0.5)
        loss = self._loss(images, labels, own, frozen)
        for variable, value in zip(statistics, before, strict=True):
            variable.assign(ops.where(choices["first"] > 0.5, variable.value, value))
        return loss

    def _loss(self, images, labels, choices, frozen):
        return self.supernet_loss(
            images, labels, choices, frozen=frozen, class_weights=self.class_weights
        )

    def predictions(self, images: Any, choices: Choices) -> dict[str, Any]:
        predictions = self.supernet(images, choices=choices, training=False, frozen=True)
        return dict(zip(Predictions._fields, predictions, strict=True))

    def candidates(self, role: str) -> dict[str, FasterSegGenotype]:
        """Derived networks with branches 32 + 8 and 32 + 16."""
        width = self.supernet.stem_head_widths[role]
        return {
            prediction: derive(
                **self.architectures[role].logits(),
                base_filters=self.supernet.base_filters,
                width_multipliers=self.supernet.width_multipliers,
                stem_width=width,
                head_width=width,
                branch_scales=scales,
                allow_skip=role != TEACHER,
            )
            for prediction, scales in BRANCHES_BY_PREDICTION.items()
        }

    def inherited(self, role: str, genotype: FasterSegGenotype) -> keras.Model:  # pyright: ignore[reportIncompatibleMethodOverride]
        return inherited_network(self.supernet, genotype, role)

    def entropies(self, role: str) -> dict[str, float]:
        return self.architectures[role].entropies()

    def regularization(self) -> Any:
        """`ssr_weight` times the SSR of every family of both roles (not in FasterSeg's paper)."""
        if not self.ssr_weight:
            return 0.0
        regularizer = SolutionSpaceRegularizer(self.ssr_weight)
        return sum(
            ops.mean(ops.stack([regularizer(ops.softmax(rows)) for rows in family]))
            for architecture in self.architectures.values()
            for family in (architecture.alphas, architecture.betas, architecture.gammas)
            if family
        )

    def _uniform(self, index: int) -> tuple[Any, Any, Any]:
        return uniform_widths(index, self.supernet.num_layers, self._widths)

    def _random_paths(self, random: keras.random.SeedGenerator) -> tuple[Any, Any]:
        """One-hot alphas and betas."""
        teacher = self.architectures[TEACHER]
        return tuple(
            tuple(
                ops.one_hot(
                    keras.random.randint((rows.shape[0],), 0, rows.shape[1], seed=random),
                    rows.shape[1],
                    dtype="float32",
                )
                for rows in family
            )
            for family in (teacher.alphas, teacher.betas)
        )  # pyright: ignore[reportReturnType]

    def _random(self, random: keras.random.SeedGenerator) -> tuple[Any, Any, Any]:
        shapes = width_shapes(self.supernet.num_layers)
        indexes = [keras.random.randint((n,), 0, self._widths, seed=random) for n in shapes]
        return one_hot_widths(indexes, self._widths)
