"""Sums over replicas in the graph of a step, and their bytes."""

import collections
import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_CONDITIONS = ("If", "StatelessIf")
_SUM = "CollectiveReduceV2"

KINDS = ("losses", "gradients", "statistic_gradients", "statistics", "hard_pixels")
"""Kinds of sums, by the rank of their tensor: those of `keras_fasterseg.workers` and its callers.

- `losses`: scalars.
- `gradients`: buckets of flat gradients.
- `statistic_gradients`: `(2, channels)`, in the gradient of a batch normalisation.
- `statistics`: `(replicas, 2, channels)`, the means and variances of a batch normalisation.
- `hard_pixels`: `(replicas, batch, height, width)`, entropies from which few pixels are chosen.
"""
STACKED = ("statistics", "hard_pixels")
"""Kinds whose tensor has a row for every replica, so that it grows with their number."""


@dataclasses.dataclass(frozen=True)
class Sum:
    """One sum over the replicas.

    Attributes:
        shape: Shape of the tensor.
        bytes: Bytes of the tensor.
        conditional: True within a condition: not every step has this sum.
    """

    shape: tuple[int, ...]
    bytes: int
    conditional: bool = False


def sums_of(graph: Any) -> collections.Counter[Sum]:
    """Sums that one run of a graph makes, with how often; of a condition, those of the larger side.

    Args:
        graph: A `GraphDef` with shapes, `function.graph.as_graph_def(add_shapes=True)`.

    Raises:
        ValueError: A loop contains a sum, or the shape of one is not known.
    """
    library = {each.signature.name: each.node_def for each in graph.library.function}

    @functools.cache
    def inside(name: str) -> collections.Counter[Sum]:
        return total(library.get(name, ()))

    def total(nodes: Iterable[Any]) -> collections.Counter[Sum]:
        found = collections.Counter()
        for node in nodes:
            found += of_node(node)
        return found

    def of_node(node: Any) -> collections.Counter[Sum]:
        if node.op == _SUM:
            return collections.Counter([_sum(node)])
        if node.op in _CALLS:
            return inside(node.attr["f"].func.name)
        functions = {name: inside(name) for name in _functions(node)}
        if node.op in _CONDITIONS:
            larger = max(functions.values(), key=total_bytes)
            return collections.Counter(
                {
                    dataclasses.replace(each, conditional=True): count
                    for each, count in larger.items()
                }
            )
        if any(functions.values()):
            raise ValueError(
                f"The operation {node.name} ({node.op}) contains sums over replicas. It is not "
                f"known how often it runs; only {', '.join((*_CALLS, *_CONDITIONS))} are counted."
            )
        return collections.Counter()

    return total(graph.node)


def total_bytes(sums: Mapping[Sum, int]) -> int:
    """Bytes of sums with how often."""
    return sum(each.bytes * count for each, count in sums.items())


def by_kind(sums: Mapping[Sum, int], replicas: int) -> dict[str, dict[str, int]]:
    """Number of operations and bytes of each of `KINDS`, of one of the replicas.

    Args:
        sums: Sums of a graph that contains the steps of all replicas.
        replicas: Number of replicas.

    Raises:
        ValueError: The replicas differ, or a sum is of no kind.
    """
    found = {kind: {"operations": 0, "bytes": 0} for kind in KINDS}
    for each, count in sums.items():
        rank = len(each.shape)
        if rank >= len(KINDS) or count % replicas:
            raise ValueError(
                f"Every one of {replicas} replicas must make the same sums, of tensors of at most "
                f"{len(KINDS) - 1} axes. Received: {count} of {each}"
            )
        kind = found[KINDS[rank]]
        if KINDS[rank] in STACKED and each.shape[0] != replicas:
            raise ValueError(f"A sum must have a row for {replicas} replicas. Received: {each}")
        kind["operations"] += count // replicas
        kind["bytes"] += count // replicas * each.bytes
    return found


def _sum(node: Any) -> Sum:
    import tensorflow as tf

    (shape,) = node.attr["_output_shapes"].list.shape or (None,)
    if shape is None or shape.unknown_rank or any(side.size < 0 for side in shape.dim):
        raise ValueError(f"The shape of the sum {node.name} is not known. Trace with fixed shapes.")
    sides = tuple(side.size for side in shape.dim)
    return Sum(sides, math.prod(sides) * tf.as_dtype(node.attr["T"].type).size)


def _functions(node: Any) -> set[str]:
    """Names of the functions among the attributes of a node."""
    attributes = node.attr.values()
    names = {each.func.name for each in attributes}
    names |= {function.name for each in attributes for function in each.list.func}
    return names - {""}
