"""The mixed operations of a supernet, stacked by shape."""

import collections
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from keras import ops

from keras_fasterseg.layers.layer_stack import LayerStack, StackRun
from keras_fasterseg.layers.mixed_cell_op import MixedCellOp
from keras_fasterseg.spaces.cells.cell_graph import CellGraph


class Kind(NamedTuple):
    """Shape of a mixed operation. A preprocessing has a single operation."""

    channels: int
    filters: int
    strides: int
    operations: tuple[str, ...]


class MixedOperations:
    """All mixed operations of a supernet; those of one shape are a `LayerStack`, traced once.

    A supernet keeps `stacks` as an attribute, so that Keras finds their weights.

    Args:
        kinds: Shape of every mixed operation by place, a hashable name.
        dtype: Keras's dtype policy.
    """

    def __init__(self, kinds: Mapping[Any, Kind], dtype: Any):
        counts: collections.Counter[Kind] = collections.Counter()
        self.places: dict[Hashable, tuple[Kind, int]] = {}
        for place, kind in kinds.items():
            self.places[place] = kind, counts[kind]
            counts[kind] += 1
        self.stacks = {
            kind: LayerStack(_maker(kind, dtype), count, dtype=dtype, name=f"mixed_{number}")
            for number, (kind, count) in enumerate(counts.items())
        }

    def build(self) -> None:
        for kind, stack in self.stacks.items():
            stack.build((None, None, None, kind.channels))

    def start(self, training: bool, frozen: bool) -> "MixedOperationsRun":
        """Starts a pass; see `LayerStack.start`."""
        runs = {kind: stack.start(training, frozen) for kind, stack in self.stacks.items()}
        return MixedOperationsRun(self.places, runs)


class MixedOperationsRun:
    """One pass over mixed operations."""

    def __init__(self, places: Mapping[Hashable, tuple[Kind, int]], runs: Mapping[Kind, StackRun]):
        self._places = places
        self._runs = runs

    def __call__(
        self, place: Hashable, inputs: Any, weights: Any = None, is_next: bool = False
    ) -> Any:
        """Runs a mixed operation.

        Args:
            place: Its place.
            inputs: Its input.
            weights: Shares of its operations; None for a single one.
            is_next: Whether this is a step of `scan_layers`.
        """
        kind, index = self._places[place]
        weights = ops.ones((1,)) if weights is None else weights
        return self._runs[kind](None if is_next else index, inputs, weights, None)

    def graph(
        self,
        graph: CellGraph,
        places: Sequence[Hashable],
        inputs: Sequence[Any],
        rows: Any,
        is_next: bool = False,
    ) -> Any:
        """Runs the cell whose edges have these places, with a row of shares each.

        Edges of inputs that are None add nothing.
        """
        rows = ops.unstack(rows)

        def apply(edge, state):
            return self(places[edge], state, rows[edge], is_next)

        every = [
            "zero" if source < graph.inputs and inputs[source] is None else "mixed"
            for _, source in graph.edges
        ]
        return ops.concatenate(graph.run(every, inputs, apply), axis=-1)

    def layers(self, places: Sequence[Hashable]) -> list[tuple[StackRun, int, int]]:
        """For `scan_layers`: the layers of a step with these places."""
        indexes: dict[Kind, list[int]] = {}
        for place in places:
            kind, index = self._places[place]
            indexes.setdefault(kind, []).append(index)
        return [(self._runs[kind], each[0], len(each)) for kind, each in indexes.items()]

    def finish(self) -> None:
        """Writes the statistics changed by training back."""
        for run in self._runs.values():
            run.finish()


def _maker(kind: Kind, dtype: Any):
    return lambda: MixedCellOp(kind.filters, kind.strides, kind.operations, dtype=dtype)
