"""The GAS-style search space, an implementation of `SearchSpace`."""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.base import Genes, Size
from keras_fasterseg.spaces.cells.space import CellSpace
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
from keras_fasterseg.spaces.roles import STUDENT
from keras_fasterseg.spaces.stage import Stage


class GasSpace(CellSpace):
    """Cells with choices of their own, guided by a graph convolution while searching.

    With `fusion=dense`, a fusion cell is searched with them. Inner constants that the papers do
    not state are our choices, hence "GAS-style" and "LGCNet-style".

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793); fusion cell: Cheng et al.
        (https://arxiv.org/abs/2302.08481).
    """

    name = "gas"
    families = ("cells", "fusion")
    settings_class = GasSettings
    genotype = GasGenotype
    network = GasNetwork

    settings: GasSettings

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> GasSearch:
        return GasSearch(self.settings, num_classes, seed, dtype)

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
        self, genotype: GasGenotype, size: Size, num_classes: int
    ) -> tuple[Stage, ...]:
        return network_stages(genotype, size, num_classes)

    def from_genes(self, genes: Genes) -> GasGenotype:
        return genotype_of(dict(genes), self.settings)

    def picture(self, genotype: GasGenotype, width: float, serving: bool = False) -> Picture:  # pyright: ignore[reportIncompatibleMethodOverride]
        return lay_out(genotype, width, serving)

    def largest_genotype(self, role: str = STUDENT) -> GasGenotype:
        return largest_genotype(self.settings)
