"""The AutoRTNet-style search space, an implementation of `SearchSpace`."""

import dataclasses

import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Work, total_work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.autortnet.choices import group_shapes
from keras_fasterseg.spaces.autortnet.expected_latency import ExpectedLatency
from keras_fasterseg.spaces.autortnet.genotype import AutoRTNetGenotype
from keras_fasterseg.spaces.autortnet.network import AutoRTNetNetwork
from keras_fasterseg.spaces.autortnet.picture import lay_out
from keras_fasterseg.spaces.autortnet.search_model import (
    AutoRTNetSearch,
    genotype_of,
    largest_genotype,
)
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.stages import (
    edge_operations,
    network_stages,
    supernet_keys,
)
from keras_fasterseg.spaces.base import Genes, SearchSpace, Size
from keras_fasterseg.spaces.cells.penalty import LatencyPenalty
from keras_fasterseg.spaces.picture import Picture
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.spaces.stage import Stage


class AutoRTNetSpace(SearchSpace):
    """Hyper-cells that decide depth and down-sampling, and an aggregation cell.

    Most inner constants are our choices, hence "AutoRTNet-style".

    Reference:
        Sun et al., IJCV 2021 (https://arxiv.org/abs/2003.14226).
    """

    name = "autortnet"
    roles = (TEACHER, STUDENT)
    families = ("gates", "cells", "aggregation")
    settings_class = AutoRTNetSettings
    genotype = AutoRTNetGenotype
    network = AutoRTNetNetwork
    single_level = True
    pretrains = False

    settings: AutoRTNetSettings

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> AutoRTNetSearch:
        return AutoRTNetSearch(self.settings, num_classes, seed, dtype)

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
        latency = ExpectedLatency(self.settings, table, num_classes)
        return LatencyPenalty(latency, table, num_classes, target_ms)

    def supernet_keys(self, size: Size, num_classes: int) -> list[OpKey]:
        return supernet_keys(self.settings, size, num_classes)

    def supernet_work(self, size: Size, num_classes: int) -> Work:
        """Its cells have no scales and offsets: as many numbers as they have statistics."""
        work = super().supernet_work(size, num_classes)
        bare = total_work(edge_operations(self.settings, size))
        return dataclasses.replace(work, trainable=work.trainable - bare.statistics)

    # Type checkers expect any genotype here, but a search space accepts only its own.
    def stages(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, genotype: AutoRTNetGenotype, size: Size, num_classes: int
    ) -> tuple[Stage, ...]:
        return network_stages(genotype, size, num_classes)

    def random_genotype(self, generator: np.random.Generator) -> AutoRTNetGenotype:
        """Draws slow and fast networks: preferences for choices, then all choices."""
        return self.from_genes(self.random_genes(generator))

    def genes(self) -> dict[str, tuple[int, ...]]:
        return {
            family: (shape[-1],) * int(np.prod(shape[:-1]))
            for family, shape in group_shapes(self.settings).items()
        }

    def from_genes(self, genes: Genes) -> AutoRTNetGenotype:
        return genotype_of(dict(genes), self.settings)

    def picture(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, genotype: AutoRTNetGenotype, width: float, serving: bool = False
    ) -> Picture:
        return lay_out(genotype, width, serving)

    def largest_genotype(self, role: str = STUDENT) -> AutoRTNetGenotype:
        return largest_genotype(self.settings)
