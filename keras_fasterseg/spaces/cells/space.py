"""Base class of search spaces of cells."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Work, total_work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.base import SearchSpace, Size
from keras_fasterseg.spaces.cells.penalty import LatencyPenalty
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

LARGEST = "conv"
"""Operation of every edge of the largest network: of all, it has the most multiply-adds."""


class CellSpace(SearchSpace):
    """A space whose weights and choices are trained on the same batch, without pretraining."""

    roles = (TEACHER, STUDENT)
    single_level = True
    pretrains = False

    @abc.abstractmethod
    def group_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the choices by family; the last axis is a group."""

    @abc.abstractmethod
    def choices_of(self, genotype: Any) -> dict[str, Any]:
        """One-hot choices that `derive` turns into `genotype`.

        Raises:
            ValueError: The genotype is not in the search space.
        """

    @abc.abstractmethod
    def expected_latency(self, table: LatencyTable, num_classes: int) -> Callable[[Any], Any]:
        """Function of choices: the expected sum of the rows of a network, in milliseconds."""

    @abc.abstractmethod
    def edge_operations(self, size: Size) -> Sequence[OpKey]:
        """All operations of the supernet whose normalisations have no scale and offset."""

    def penalty(
        self, table: LatencyTable, num_classes: int, target_ms: float, shares: str = "paper"
    ) -> LatencyPenalty:
        """The logarithm of the expected latency over the target.

        It is a single term: `shares` must be "paper".

        Raises:
            ValueError: The target is not positive, or `shares` is unknown.
            KeyError: A row is missing in the table.
        """
        self.check_single_term(shares)
        latency = self.expected_latency(table, num_classes)
        return LatencyPenalty(latency, table, num_classes, target_ms)

    def supernet_work(self, size: Size, num_classes: int) -> Work:
        """Its cells have no scales and offsets: as many numbers as they have statistics."""
        work = super().supernet_work(size, num_classes)
        bare = total_work(self.edge_operations(size))
        return dataclasses.replace(work, trainable=work.trainable - bare.statistics)

    def random_genotype(self, generator: np.random.Generator) -> Genotype:
        """Draws slow and fast networks: preferences for choices, then all choices."""
        return self.from_genes(self.random_genes(generator))

    def genes(self) -> dict[str, tuple[int, ...]]:
        return {
            family: (shape[-1],) * int(np.prod(shape[:-1]))
            for family, shape in self.group_shapes().items()
        }

    def derive(self, choices: dict[str, Any]) -> Genotype:
        """The network of the likeliest choices."""
        return self.from_genes(
            {
                family: np.argmax(ops.convert_to_numpy(rows), axis=-1)
                for family, rows in choices.items()
            }
        )

    def _one_hot(self, indexes: dict[str, Any]) -> dict[str, Any]:
        """One-hot choices of these numbers, by family."""
        shapes = self.group_shapes()
        return {
            family: ops.one_hot(ops.cast(rows, "int32"), shapes[family][-1], dtype="float32")
            for family, rows in indexes.items()
        }
