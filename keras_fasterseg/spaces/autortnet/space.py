"""The AutoRTNet-style search space, an implementation of `SearchSpace`."""

import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.autortnet.architecture import AutoRTNetArchitecture
from keras_fasterseg.spaces.autortnet.cell_shape import HYPER
from keras_fasterseg.spaces.autortnet.choices import Choices, group_shapes
from keras_fasterseg.spaces.autortnet.expected_latency import ExpectedLatency
from keras_fasterseg.spaces.autortnet.genotype import (
    AutoRTNetGenotype,
    HyperCell,
    aggregation_graph,
    kept_edges,
)
from keras_fasterseg.spaces.autortnet.inheritance import inherited_network
from keras_fasterseg.spaces.autortnet.network import AutoRTNetNetwork
from keras_fasterseg.spaces.autortnet.picture import lay_out
from keras_fasterseg.spaces.autortnet.pruning import StatePruning
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.stages import (
    edge_operations,
    network_stages,
    supernet_keys,
)
from keras_fasterseg.spaces.autortnet.supernet import AutoRTNetSupernet
from keras_fasterseg.spaces.autortnet.trellis import (
    COARSEST_STATES,
    LAST,
    NORMAL,
    REDUCE,
    SKIP,
    STATES,
)
from keras_fasterseg.spaces.base import Genes, Size
from keras_fasterseg.spaces.cells.cell_graph import FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.search_model import CellSearch
from keras_fasterseg.spaces.cells.space import LARGEST, CellSpace
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

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> CellSearch:
        architecture = AutoRTNetArchitecture(self.settings, seed, name=STUDENT)
        return CellSearch(
            self,
            AutoRTNetSupernet(self.settings, num_classes, dtype=dtype, name="supernet"),
            architecture,
            inherited_network,
            callbacks=[StatePruning(architecture)],
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
        self, genotype: AutoRTNetGenotype, size: Size, num_classes: int
    ) -> tuple[Stage, ...]:
        return network_stages(genotype, size, num_classes)

    def from_genes(self, genes: Genes) -> AutoRTNetGenotype:
        level, cells = 0, []
        operations = np.reshape(genes["cells"], self.group_shapes()["cells"][:-1])
        for index in range(self.settings.cells):
            state = STATES[genes["gates"][index]]
            if level == LAST:
                state = COARSEST_STATES[genes["coarsest"][index]]
            if state == SKIP:
                continue
            level += state == REDUCE
            names = HYPER.completed([CELL_OPERATIONS[each] for each in operations[index]])
            cells.append(HyperCell(index, state, names))
        aggregation = ()
        if level:
            graph = aggregation_graph(level)
            found = [FUSION_OPERATIONS[genes["aggregation"][edge]] for edge in kept_edges(graph)]
            aggregation = graph.completed(found)
        filters = self.settings.initial_filters, self.settings.decoder_filters
        return AutoRTNetGenotype(self.name, *filters, tuple(cells), aggregation)

    def choices_of(self, genotype: AutoRTNetGenotype) -> Choices:
        settings = self.settings
        own = genotype.initial_filters, genotype.decoder_filters
        expected = settings.initial_filters, settings.decoder_filters
        require(own == expected, f"The supernet has the filters {expected}. Received: {own}")
        require(
            all(cell.index < settings.cells for cell in genotype.cells),
            f"The supernet has {settings.cells} hyper-cells. "
            f"Received the indexes {[cell.index for cell in genotype.cells]}",
        )
        indexes = self._first_choices()
        indexes["gates"][:] = STATES.index(SKIP)
        indexes["coarsest"][:] = COARSEST_STATES.index(SKIP)
        for cell in genotype.cells:
            indexes["gates"][cell.index] = STATES.index(cell.state)
            if cell.state == NORMAL:
                indexes["coarsest"][cell.index] = COARSEST_STATES.index(NORMAL)
            indexes["cells"][cell.index] = [CELL_OPERATIONS.index(name) for name in cell.operations]
        if genotype.level:
            for edge, name in zip(kept_edges(genotype.graph), genotype.aggregation, strict=True):
                indexes["aggregation"][edge] = FUSION_OPERATIONS.index(name)
        return self._one_hot(indexes)

    def largest_genotype(self, role: str = STUDENT) -> AutoRTNetGenotype:
        """All hyper-cells, three of which reduce early, with a 3x3 convolution on every edge."""
        indexes, count = self._first_choices(), self.settings.cells
        reducing = [1, 3, 7] if count > 7 else list(range(min(LAST, count)))
        indexes["gates"][reducing] = STATES.index(REDUCE)
        for family in ("cells", "aggregation"):
            indexes[family][:] = CELL_OPERATIONS.index(LARGEST)
        return self.from_genes(indexes)  # pyright: ignore[reportArgumentType]

    def _first_choices(self) -> dict[str, np.ndarray]:
        """Zeros in the shape of the choices."""
        return {
            family: np.zeros(shape[:-1], "int32") for family, shape in self.group_shapes().items()
        }

    def picture(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, genotype: AutoRTNetGenotype, width: float, serving: bool = False
    ) -> Picture:
        return lay_out(genotype, width, serving)
