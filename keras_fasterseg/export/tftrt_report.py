"""Share of a graph's operators that TF-TRT converted to TensorRT engines."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from keras_fasterseg.runtimes.tftrt_graph import ENGINE, all_nodes

# These hold or pass on values and cost nothing: counting them would only inflate the share.
_NO_OPERATORS = {"Const", "Placeholder", "Identity", "NoOp"}


@dataclasses.dataclass(frozen=True)
class TfTrtReport:
    """Operator counts of a converted graph.

    An operator is a node that computes; constants, inputs, identities and `NoOp` do not count.

    Attributes:
        operators: Number of operators, inside and outside engines.
        converted: Number of operators inside engines.
        segments: Number of subgraphs that became an engine (nodes `TRTEngineOp`).
        left_out: Number of operators that TensorFlow still runs, by type, the most frequent first.
    """

    operators: int
    converted: int
    segments: int
    left_out: Mapping[str, int]

    @property
    def share(self) -> float:
        """Share of the operators inside engines, in [0, 1]."""
        return self.converted / self.operators if self.operators else 0.0

    def to_json(self) -> dict[str, Any]:
        """All numbers, as JSON values."""
        facts = dataclasses.asdict(self)
        return {**facts, "left_out": dict(self.left_out), "share": self.share}

    def summary(self) -> str:
        """All numbers in one line."""
        rest = ", ".join(f"{name} {count}" for name, count in self.left_out.items())
        segments = "1 segment" if self.segments == 1 else f"{self.segments} segments"
        return (
            f"{self.converted} of {self.operators} operators ({self.share:.1%}) in {segments}; "
            f"left out: {rest or 'none'}"
        )


def tftrt_report(graph: Any) -> TfTrtReport:
    """Counts the operators of a graph that TF-TRT converted.

    Args:
        graph: A `GraphDef` with nodes `TRTEngineOp`. Its library must still have the functions that
            the engines replace (`TRTEngineOp_..._native_segment`).

    Raises:
        ValueError: An engine's function is not in the library.
    """
    functions = {each.signature.name: each for each in graph.library.function}
    engines = [node for node in all_nodes(graph) if node.op == ENGINE]
    segments = [node.attr["segment_func"].func.name for node in engines]
    missing = sorted(set(segments) - set(functions))
    if missing:
        raise ValueError(
            f"The graph lacks the functions that its engines replace, so their operators cannot "
            f"be counted; convert the SavedModel again. Missing: {', '.join(map(repr, missing))}"
        )
    converted = sum((_operators(functions[name].node_def) for name in segments), start=_NONE)
    outside = [
        *graph.node,
        *(
            node
            for name, function in functions.items()
            if name not in segments
            for node in function.node_def
        ),
    ]
    left_out = _operators(node for node in outside if node.op != ENGINE)
    return TfTrtReport(
        operators=converted.total() + left_out.total(),
        converted=converted.total(),
        segments=len(engines),
        left_out=dict(left_out.most_common()),
    )


_NONE: collections.Counter[str] = collections.Counter()


def _operators(nodes: Iterable[Any]) -> collections.Counter[str]:
    return collections.Counter(node.op for node in nodes if node.op not in _NO_OPERATORS)
