"""The AutoRTNet-style search space, an implementation of `SearchSpace`."""

from keras_fasterseg.latency.op_key import OpKey
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
from keras_fasterseg.spaces.base import Genes, Size
from keras_fasterseg.spaces.cells.space import CellSpace
from keras_fasterseg.spaces.picture import Picture
from keras_fasterseg.spaces.roles import STUDENT
from keras_fasterseg.spaces.stage import Stage


class AutoRTNetSpace(CellSpace):
    """Hyper-cells that decide depth and down-sampling, and an aggregation cell.

    Most inner constants are our choices, hence "AutoRTNet-style".

    Reference:
        Sun et al., IJCV 2021 (https://arxiv.org/abs/2003.14226).
    """

    name = "autortnet"
    families = ("gates", "cells", "aggregation")
    settings_class = AutoRTNetSettings
    genotype = AutoRTNetGenotype
    network = AutoRTNetNetwork

    settings: AutoRTNetSettings

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> AutoRTNetSearch:
        return AutoRTNetSearch(self.settings, num_classes, seed, dtype)

    def group_shapes(self) -> dict[str, tuple[int, ...]]:
        return group_shapes(self.settings)

    def expected_latency(self, table: LatencyTable, num_classes: int) -> ExpectedLatency:
        return ExpectedLatency(self.settings, table, num_classes)

    def edge_operations(self, size: Size) -> list[OpKey]:
        return edge_operations(self.settings, size)

    def supernet_keys(self, size: Size, num_classes: int) -> list[OpKey]:
        return supernet_keys(self.settings, size, num_classes)

    # Type checkers expect any genotype here, but a search space accepts only its own.
    def stages(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, genotype: AutoRTNetGenotype, size: Size, num_classes: int
    ) -> tuple[Stage, ...]:
        return network_stages(genotype, size, num_classes)

    def from_genes(self, genes: Genes) -> AutoRTNetGenotype:
        return genotype_of(dict(genes), self.settings)

    def picture(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, genotype: AutoRTNetGenotype, width: float, serving: bool = False
    ) -> Picture:
        return lay_out(genotype, width, serving)

    def largest_genotype(self, role: str = STUDENT) -> AutoRTNetGenotype:
        return largest_genotype(self.settings)
