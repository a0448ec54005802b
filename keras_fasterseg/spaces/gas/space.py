"""The GAS-style search space, an implementation of `SearchSpace`."""

from typing import Any

import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.base import Genes, Size
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.search_model import CellSearch
from keras_fasterseg.spaces.cells.space import LARGEST, CellSpace
from keras_fasterseg.spaces.gas.architecture import GasArchitecture
from keras_fasterseg.spaces.gas.choices import Choices, group_shapes
from keras_fasterseg.spaces.gas.expected_latency import ExpectedLatency
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.inheritance import inherited_network
from keras_fasterseg.spaces.gas.network import GasNetwork
from keras_fasterseg.spaces.gas.picture import lay_out
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings
from keras_fasterseg.spaces.gas.stages import (
    edge_operations,
    network_stages,
    supernet_keys,
)
from keras_fasterseg.spaces.gas.supernet import GasSupernet
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

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> CellSearch:
        return CellSearch(
            self,
            GasSupernet(self.settings, num_classes, dtype=dtype, name="supernet"),
            GasArchitecture(self.settings, seed, name=STUDENT),
            inherited_network,
        )

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
        """Operation "zero" removes an edge.

        A node without any edge gets a `skip` from the last input; see `cell_graph`.
        """
        settings = self.settings
        cells = np.reshape(genes["cells"], group_shapes(settings)["cells"][:2])
        fusion = ()
        if settings.fusion == DENSE:
            fusion = FUSION.completed([FUSION_OPERATIONS[each] for each in genes["fusion"]])
        return GasGenotype(
            "gas",
            settings.initial_filters,
            settings.reductions,
            settings.decoder_filters,
            tuple(CELL.completed([CELL_OPERATIONS[each] for each in row]) for row in cells),
            fusion,
        )

    def choices_of(self, genotype: GasGenotype) -> Choices:
        settings = self.settings
        expected = {
            "initial_filters": settings.initial_filters,
            "reductions": tuple(settings.reductions),
            "decoder_filters": settings.decoder_filters,
            "cells": settings.cells,
            "fusion": settings.fusion == DENSE,
        }
        found = {name: getattr(genotype, name) for name in expected}
        found |= {"cells": len(genotype.cells), "fusion": bool(genotype.fusion)}
        require(found == expected, f"The supernet has {expected}. Received a genotype of {found}")
        rows: dict[str, Any] = {
            "cells": [[CELL_OPERATIONS.index(name) for name in cell] for cell in genotype.cells]
        }
        if genotype.fusion:
            rows["fusion"] = [FUSION_OPERATIONS.index(name) for name in genotype.fusion]
        return self._one_hot(rows)

    def largest_genotype(self, role: str = STUDENT) -> GasGenotype:
        """The network with a 3x3 convolution on every edge."""
        largest = CELL_OPERATIONS.index(LARGEST)
        return self.from_genes(
            {family: [largest] * len(sizes) for family, sizes in self.genes().items()}
        )

    def picture(self, genotype: GasGenotype, width: float, serving: bool = False) -> Picture:  # pyright: ignore[reportIncompatibleMethodOverride]
        return lay_out(genotype, width, serving)
