"""The GAS-style search space, an implementation of `SearchSpace`."""

import dataclasses

import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Work, total_work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.base import Genes, SearchSpace, Size
from keras_fasterseg.spaces.cells.penalty import LatencyPenalty
from keras_fasterseg.spaces.gas.choices import group_shapes
from keras_fasterseg.spaces.gas.expected_latency import ExpectedLatency
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.network import GasNetwork
from keras_fasterseg.spaces.gas.picture import lay_out
from keras_fasterseg.spaces.gas.search_model import GasSearch, genotype_of, largest_genotype
from keras_fasterseg.spaces.gas.settings import GasSettings
from keras_fasterseg.spaces.gas.stages import (
    edge_operations,
    network_stages,
    supernet_keys,
)
from keras_fasterseg.spaces.picture import Picture
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.spaces.stage import Stage


class GasSpace(SearchSpace):
    """Cells with choices of their own, guided by a graph convolution while searching.

    With `fusion=dense`, a fusion cell is searched with them. Inner constants that the papers do
    not state are our choices, hence "GAS-style" and "LGCNet-style".

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793); fusion cell: Cheng et al.
        (https://arxiv.org/abs/2302.08481).
    """

    name = "gas"
    roles = (TEACHER, STUDENT)
    families = ("cells", "fusion")
    settings_class = GasSettings
    genotype = GasGenotype
    network = GasNetwork
    single_level = True
    pretrains = False

    settings: GasSettings

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> GasSearch:
        return GasSearch(self.settings, num_classes, seed, dtype)

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
        self, genotype: GasGenotype, size: Size, num_classes: int
    ) -> tuple[Stage, ...]:
        return network_stages(genotype, size, num_classes)

    def random_genotype(self, generator: np.random.Generator) -> GasGenotype:
        """Draws slow and fast networks: preferences for operations, then those of all edges."""
        return self.from_genes(self.random_genes(generator))

    def genes(self) -> dict[str, tuple[int, ...]]:
        return {
            family: (shape[-1],) * int(np.prod(shape[:-1]))
            for family, shape in group_shapes(self.settings).items()
        }

    def from_genes(self, genes: Genes) -> GasGenotype:
        return genotype_of(dict(genes), self.settings)

    def picture(self, genotype: GasGenotype, width: float, serving: bool = False) -> Picture:  # pyright: ignore[reportIncompatibleMethodOverride]
        return lay_out(genotype, width, serving)

    def largest_genotype(self, role: str = STUDENT) -> GasGenotype:
        return largest_genotype(self.settings)
