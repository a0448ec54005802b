"""Expected latency of the networks of the AutoRTNet-style space, given all choices.

A cell counts with the mass of the trellis that runs it, and the aggregation cell with the mass at
the end of each level, as if choices were independent. One-hot choices therefore give exactly the
sum of the rows of the derived network.
"""

import math
from typing import Any

from keras import ops

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.autortnet.cell_shape import HYPER, shapes_at
from keras_fasterseg.spaces.autortnet.choices import Choices
from keras_fasterseg.spaces.autortnet.genotype import aggregation_graph, kept_edges
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.stages import (
    AGGREGATION_SCALE,
    alignment_key,
    classifier_key,
)
from keras_fasterseg.spaces.autortnet.trellis import LAST, REDUCE, SCALES, levels, trellis
from keras_fasterseg.spaces.cells.cell_graph import FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.graph_latency import (
    GraphLatencies,
    graph_latency,
    milliseconds,
    used_shares,
)
from keras_fasterseg.spaces.cells.keys import operation_key, stem_keys

_TINY = 1e-12


class ExpectedLatency:
    """Expected latency of all that a network runs.

    Args:
        settings: Settings of the space.
        table: Latencies of the operations.
        num_classes: Number of classes.

    Raises:
        KeyError: A row is missing in the table.
    """

    def __init__(self, settings: AutoRTNetSettings, table: LatencyTable, num_classes: int):
        size, edges = table.metadata.input_size, range(len(HYPER.edges))
        initial, filters = settings.initial_filters, settings.decoder_filters
        self._cells = [
            {
                state: GraphLatencies(
                    milliseconds(table, [shape.input_key(size)]),
                    milliseconds(
                        table,
                        [
                            [shape.edge_key(edge, name, size) for name in CELL_OPERATIONS]
                            for edge in edges
                        ],
                    ),
                    CELL_OPERATIONS,
                )
                for state, shape in shapes_at(level, initial).items()
            }
            for level in levels(settings.cells - 1)
        ]
        self._alignments = milliseconds(
            table,
            [alignment_key(level, initial, filters, size) for level in range(len(SCALES))],
        )
        row = [operation_key(name, AGGREGATION_SCALE, filters, size) for name in FUSION_OPERATIONS]
        # Aggregation cells by the level of the last feature; the first level has none.
        self._graphs = [aggregation_graph(level) for level in range(1, len(SCALES))]
        self._aggregations = [
            GraphLatencies(
                self._alignments[1 : graph.inputs + 1],
                milliseconds(table, [row] * len(graph.edges)),
                FUSION_OPERATIONS,
            )
            for graph in self._graphs
        ]
        fixed = [
            *stem_keys(HYPER.nodes * initial, size),
            classifier_key(filters, num_classes, size),
        ]
        self.fixed_ms = float(milliseconds(table, fixed).sum())

    def __call__(self, choices: Choices) -> Any:
        """Expected latency in milliseconds, a differentiable scalar."""
        gates, masses = trellis(choices["gates"], choices["coarsest"])
        total, needed = self._aggregation(choices["aggregation"], masses[-1])
        shares = choices["cells"]
        used = used_shares(shares, HYPER, CELL_OPERATIONS)
        each = [
            {
                state: ops.unstack(graph_latency(shares, HYPER, latencies, used))
                for state, latencies in of_states.items()
            }
            for of_states in self._cells
        ]
        for index, (of_levels, before) in enumerate(zip(gates, masses, strict=False)):
            for level, (gate, mass) in enumerate(zip(of_levels, before, strict=True)):
                for state, latencies in each[level].items():
                    share = mass * getattr(gate, state) * needed[level + (state == REDUCE)]
                    total = total + share * latencies[index]
        return total

    def _aggregation(self, rows: Any, final: list[Any]) -> tuple[Any, list[Any]]:
        """Latency without hyper-cells, and by level the probability that a cell there is needed."""
        final = [*final, *[0.0] * (len(SCALES) - len(final))]
        total = self.fixed_ms + final[0] * self._alignments[0]
        unneeded = [0.0] * len(SCALES)
        for graph, latencies in zip(self._graphs, self._aggregations, strict=True):
            level = graph.inputs
            shares = ops.stack([rows[edge] for edge in kept_edges(graph)])
            used = used_shares(shares, graph, FUSION_OPERATIONS)
            total = total + final[level] * graph_latency(shares, graph, latencies, used)
            for output in range(2, level + 1):
                unread = math.prod([1.0 - share for share in used[output - 1 :]])
                unneeded[output] = unneeded[output] + final[level] * unread
        needed: list[Any] = [1.0, 1.0]
        for level in range(2, LAST + 1):
            reached = sum(final[level:])
            needed.append(1.0 - unneeded[level] / (reached + _TINY))
        return total, needed
