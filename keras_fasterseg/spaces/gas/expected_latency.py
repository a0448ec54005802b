"""Expected latency of the networks of the GAS-style space, given the shares of all operations.

Every row counts with the probability that a network runs it, as if choices were independent.
One-hot choices therefore give exactly the sum of the rows of the derived network.
"""

from typing import Any

from keras import ops

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.graph_latency import (
    GraphLatencies,
    graph_latency,
    milliseconds,
    used_shares,
)
from keras_fasterseg.spaces.cells.keys import stem_keys
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
        size, filters = table.metadata.input_size, settings.decoder_filters
        plans = cell_plans(settings.cells, settings.initial_filters, settings.reductions)
        edges, dense = range(len(CELL.edges)), settings.fusion == DENSE
        self._plans = plans
        self._cells = GraphLatencies(
            milliseconds(table, [[input_key(p, i, size) for i in p.inputs] for p in plans]),
            milliseconds(
                table,
                [
                    [[edge_key(p, edge, name, size) for name in CELL_OPERATIONS] for edge in edges]
                    for p in plans
                ],
            ),
            CELL_OPERATIONS,
        )
        fixed = [
            *stem_keys(CELL.nodes * settings.initial_filters, size),
            classifier_key(plans, filters, dense, num_classes, size),
        ]
        self._fusion = None
        self._levels = fused_cells(plans)
        if dense:
            inputs = [
                alignment_key(self._levels, number, filters, size)
                for number in range(FUSION.inputs)
            ]
            row = [fusion_key(self._levels, name, filters, size) for name in FUSION_OPERATIONS]
            self._fusion = GraphLatencies(
                milliseconds(table, inputs),
                milliseconds(table, [row] * len(FUSION.edges)),
                FUSION_OPERATIONS,
            )
        else:
            fixed.append(pyramid_key(plans[-1], filters, size))
        self.fixed_ms = float(milliseconds(table, fixed).sum())

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
