"""The AutoRTNet-style supernet with its architecture, for a search."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.autortnet.architecture import AutoRTNetArchitecture
from keras_fasterseg.spaces.autortnet.cell_shape import HYPER
from keras_fasterseg.spaces.autortnet.choices import Choices, group_shapes
from keras_fasterseg.spaces.autortnet.genotype import (
    AutoRTNetGenotype,
    HyperCell,
    aggregation_graph,
    kept_edges,
)
from keras_fasterseg.spaces.autortnet.inheritance import inherited_network
from keras_fasterseg.spaces.autortnet.pruning import StatePruning
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.supernet import AutoRTNetSupernet
from keras_fasterseg.spaces.autortnet.trellis import (
    COARSEST_STATES,
    LAST,
    NORMAL,
    REDUCE,
    SKIP,
    STATES,
)
from keras_fasterseg.spaces.cells.cell_graph import FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.search_model import (
    LARGEST,
    PREDICTION,
    CellSearch,
    one_hot_choices,
)
from keras_fasterseg.spaces.roles import STUDENT


class AutoRTNetSearch(CellSearch):
    """Supernet and the student's architecture, with a large network as the teacher.

    Args:
        settings: Settings of the space.
        num_classes: Number of classes.
        seed: Seed of the architecture's start and sampling.
        dtype: Keras's dtype policy of the supernet.

    Reference:
        AutoRTNet (Sun et al., IJCV 2021, https://arxiv.org/abs/2003.14226). The schedule of the
        pruning is our choice.
    """

    def __init__(
        self, settings: AutoRTNetSettings, num_classes: int, seed: int, dtype: str = "float32"
    ):
        self.settings = settings
        super().__init__(
            AutoRTNetSupernet(settings, num_classes, dtype=dtype, name="supernet"),
            AutoRTNetArchitecture(settings, seed, name=STUDENT),
            derived=("coarsest",),
        )

    def evaluation_choices(self, role: str) -> Choices:
        if role == STUDENT:
            return self.architecture()
        return choices_of(largest_genotype(self.settings), self.settings)

    def candidates(self, role: str) -> dict[str, AutoRTNetGenotype]:
        return {PREDICTION: derive(self.evaluation_choices(role), self.settings)}

    def inherited(self, role: str, genotype: AutoRTNetGenotype) -> keras.Model:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The network of the genotype with copies of the supernet's weights."""
        choices_of(genotype, self.settings)
        return inherited_network(self.supernet, genotype)

    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        return (StatePruning(self.architecture),)  # pyright: ignore[reportArgumentType]


def derive(choices: Choices, settings: AutoRTNetSettings) -> AutoRTNetGenotype:
    """The network of the likeliest state of every hyper-cell and the likeliest operations."""
    indexes = {
        family: np.argmax(ops.convert_to_numpy(rows), axis=-1) for family, rows in choices.items()
    }
    return genotype_of(indexes, settings)


def genotype_of(indexes: dict[str, Any], settings: AutoRTNetSettings) -> AutoRTNetGenotype:
    """The network of the choices with these numbers, by family and in the shape of choices."""
    level, cells = 0, []
    shapes = group_shapes(settings)
    operations = np.reshape(indexes["cells"], shapes["cells"][:-1])
    for index in range(settings.cells):
        state = STATES[indexes["gates"][index]]
        if level == LAST:
            state = COARSEST_STATES[indexes["coarsest"][index]]
        if state == SKIP:
            continue
        level += state == REDUCE
        names = HYPER.completed([CELL_OPERATIONS[each] for each in operations[index]])
        cells.append(HyperCell(index, state, names))
    aggregation = ()
    if level:
        graph = aggregation_graph(level)
        found = [FUSION_OPERATIONS[indexes["aggregation"][edge]] for edge in kept_edges(graph)]
        aggregation = graph.completed(found)
    return AutoRTNetGenotype(
        "autortnet", settings.initial_filters, settings.decoder_filters, tuple(cells), aggregation
    )


def choices_of(genotype: AutoRTNetGenotype, settings: AutoRTNetSettings) -> Choices:
    """One-hot choices that `derive` turns into `genotype`.

    Raises:
        ValueError: The genotype is not in the search space.
    """
    own = genotype.initial_filters, genotype.decoder_filters
    expected = settings.initial_filters, settings.decoder_filters
    require(own == expected, f"The supernet has the filters {expected}. Received: {own}")
    require(
        all(cell.index < settings.cells for cell in genotype.cells),
        f"The supernet has {settings.cells} hyper-cells. "
        f"Received the indexes {[cell.index for cell in genotype.cells]}",
    )
    shapes = group_shapes(settings)
    indexes = {family: np.zeros(shape[:-1], "int32") for family, shape in shapes.items()}
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
    return one_hot_choices(indexes, shapes)


def largest_genotype(settings: AutoRTNetSettings) -> AutoRTNetGenotype:
    """All hyper-cells, three of which reduce early, with a 3x3 convolution on every edge."""
    shapes = group_shapes(settings)
    indexes = {family: np.zeros(shape[:-1], "int32") for family, shape in shapes.items()}
    reducing = [1, 3, 7] if settings.cells > 7 else list(range(min(LAST, settings.cells)))
    indexes["gates"][reducing] = STATES.index(REDUCE)
    for family in ("cells", "aggregation"):
        indexes[family][:] = CELL_OPERATIONS.index(LARGEST)
    return genotype_of(indexes, settings)
