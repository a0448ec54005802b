"""Expected latency of the networks of the GAS-style space, given the shares of all operations.

Every row counts with the probability that a network runs it, as if choices were independent.
One-hot choices therefore give exactly the sum of the rows of the derived network.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.graph_latency import GraphLatencies, graph_latency, used_shares
from keras_fasterseg.spaces.cells.keys import stem_stages
from keras_fasterseg.spaces.gas.choices import Choices
from keras_fasterseg.spaces.gas.plan import cell_plans, fused_cells
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings
from keras_fasterseg.spaces.gas.stages import (
    alignment_key,
    classifier_key,
    edge_key,
    fusion_key,
    input_key,
    pyramid_key,
)


class ExpectedLatency:
    """Expected latency of all that a network runs.

    Args:
        settings: Settings of the space.
        table: Latencies of the operations.
        num_classes: Number of classes.

    Raises:
        KeyError: A row is missing in the table.
    """

    def __init__(self, settings: GasSettings, table: LatencyTable, num_classes: int):
        size = table.metadata.input_size

        def milliseconds(key: OpKey | None) -> float:
            return 0.0 if key is None else table[key].latency_ms

        plans = cell_plans(settings.cells, settings.initial_filters, settings.reductions)
        self._plans = plans
        self._cells = GraphLatencies(
            _array([[milliseconds(input_key(p, i, size)) for i in p.inputs] for p in plans]),
            _array(
                [
                    [
                        [milliseconds(edge_key(plan, edge, name, size)) for name in CELL_OPERATIONS]
                        for edge in range(len(CELL.edges))
                    ]
                    for plan in plans
                ]
            ),
            CELL_OPERATIONS,
        )
        filters, dense = settings.decoder_filters, settings.fusion == DENSE
        fixed = [
            key
            for stage in stem_stages(CELL.nodes * settings.initial_filters, size)
            for key in stage.keys
        ]
        fixed.append(classifier_key(plans, filters, dense, num_classes, size))
        self._fusion = None
        self._levels = fused_cells(plans)
        if dense:
            rows = [
                milliseconds(fusion_key(self._levels, name, filters, size))
                for name in FUSION_OPERATIONS
            ]
            inputs = [
                milliseconds(alignment_key(self._levels, number, filters, size))
                for number in range(FUSION.inputs)
            ]
            self._fusion = GraphLatencies(
                _array(inputs), _array([rows] * len(FUSION.edges)), FUSION_OPERATIONS
            )
        else:
            fixed.append(pyramid_key(plans[-1], filters, size))
        self.fixed_ms = sum(map(milliseconds, fixed))

    def __call__(self, choices: Choices) -> Any:
        """Expected latency in milliseconds, a differentiable scalar."""
        cells = choices["cells"]
        used = used_shares(cells, CELL, CELL_OPERATIONS)
        each = graph_latency(cells, CELL, self._cells, used)
        total, needed = self.fixed_ms, dict.fromkeys(range(len(self._plans)), 0.0)
        if self._fusion is None:
            needed[len(self._plans) - 1] = 1.0
        else:
            fused = used_shares(choices["fusion"], FUSION, FUSION_OPERATIONS)
            total = total + graph_latency(choices["fusion"], FUSION, self._fusion, fused)
            needed |= {plan.index: share for plan, share in zip(self._levels, fused, strict=True)}
        each, used = ops.unstack(each), [ops.unstack(share) for share in used]
        for plan in reversed(self._plans):
            index = plan.index
            total = total + needed[index] * each[index]
            for source, share in zip(plan.inputs, used, strict=True):
                if source.source in needed:
                    read = needed[index] * share[index]
                    needed[source.source] = 1.0 - (1.0 - needed[source.source]) * (1.0 - read)
        return total


def _array(values: Any) -> np.ndarray:
    return np.asarray(values, "float32")
