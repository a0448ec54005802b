import dataclasses

import numpy as np
import pytest

from keras_fasterseg.spaces.autortnet.space import AutoRTNetSpace
from tests.spaces.autortnet.tiny import SETTINGS

SPACE = AutoRTNetSpace(SETTINGS)
GENOTYPE = SPACE.largest_genotype()
CELL = GENOTYPE.cells[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "gas"}, "space must be 'autortnet'"),
        ({"initial_filters": 3}, "must be even"),
        ({"decoder_filters": 0}, "at least 1"),
        ({"cells": GENOTYPE.cells[::-1]}, "index of cells"),
        ({"cells": (dataclasses.replace(CELL, index=99),)}, "at most 63"),
        ({"cells": (dataclasses.replace(CELL, state="skip"),)}, "normal or reduce"),
        ({"cells": (dataclasses.replace(CELL, operations=("conv",)),)}, "3 operations"),
        ({"cells": (dataclasses.replace(CELL, operations=("zero",) * 3),)}, "not zero"),
        ({"aggregation": GENOTYPE.aggregation[:-1]}, "12 operations"),
        ({"cells": ()}, "aggregation must be empty"),
        (
            {"cells": tuple(dataclasses.replace(CELL, index=each) for each in range(4))},
            "At most 3 cells",
        ),
    ],
)
def test_invalid_fields_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(GENOTYPE, **changes)


def test_cells_behind_the_last_read_level_are_left_out():
    graph = GENOTYPE.graph
    unread = ["zero" if source == graph.inputs - 1 else "conv" for _, source in graph.edges]
    genotype = dataclasses.replace(GENOTYPE, aggregation=tuple(unread))
    levels = [shape.output_level for _, shape in genotype.live_cells]
    assert max(levels) == 2
    assert len(genotype.live_cells) < len(genotype.cells)


def test_skipped_hyper_cells_are_not_part_of_a_network():
    generator = np.random.default_rng(0)
    for _ in range(20):
        genes = SPACE.random_genes(generator)
        genotype = SPACE.from_genes(genes)
        if sum(cell.state == "reduce" for cell in genotype.cells) < 3:
            left = [index for index, state in enumerate(genes["gates"]) if state != 2]
            assert [cell.index for cell in genotype.cells] == left


@pytest.mark.parametrize(
    ("last", "states"),
    [(0, ["reduce", "reduce", "reduce", "normal"]), (1, ["reduce", "reduce", "reduce"])],
)
def test_nothing_reduces_at_the_coarsest_level(last, states):
    indexes = {name: np.zeros(len(sizes), int) for name, sizes in SPACE.genes().items()}
    indexes["gates"][:] = 1
    indexes["coarsest"][3] = last
    genotype = SPACE.from_genes(indexes)
    assert [cell.state for cell in genotype.cells] == states
    assert [cell.index for cell in genotype.cells] == list(range(len(states)))


def test_cells_of_a_list_are_a_tuple():
    assert hash(dataclasses.replace(GENOTYPE, cells=list(GENOTYPE.cells))) == hash(GENOTYPE)
