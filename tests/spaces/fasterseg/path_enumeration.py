"""The expected latency by enumerating all paths, in float64 NumPy: the tests' second opinion."""

from collections.abc import Iterator, Sequence

import numpy as np

from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts

Path = tuple[int, ...]


def paths(num_layers: int, end: int) -> Iterator[Path]:
    """The scale at every layer, `(num_layers,)`: from 0, kept or one coarser, to `end`."""

    def extend(path: Path) -> Iterator[Path]:
        if len(path) == num_layers:
            if path[-1] == end:
                yield path
            return
        yield from extend((*path, path[-1]))
        if path[-1] < end:
            yield from extend((*path, path[-1] + 1))

    yield from extend((0,))


def path_probability(path: Path, betas: Sequence[np.ndarray]) -> float:
    """The product of the β that blend this path's latencies into its end's."""
    probability = 1.0
    for layer in range(1, len(path)):
        scale = path[layer]
        if 0 < scale < layer:
            keeps = path[layer - 1] == scale
            probability *= betas[scale - 1][layer - scale - 1, 1 if keeps else 0]
    return probability


def path_latency(
    path: Path,
    alphas: Sequence[np.ndarray],
    widths: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    costs: LatencyCosts,
) -> float:
    """Stem and cells along a path; `widths` are indices and `scores` the g of every node."""
    total = costs.stem_ms
    last = len(path) - 1
    for layer, scale in enumerate(path):
        alpha = alphas[scale][layer - scale]
        target = scale if layer == last else path[layer + 1]
        source_node = _node(layer - 1, scale)
        target_node = _node(layer, target)
        if layer == 0:
            table = costs.first_keep if target == scale else costs.first_down
            row, score = table[:, widths[target][target_node]], scores[target][target_node]
        elif layer == last:
            row = costs.last_keep[scale][:, widths[scale][source_node]]
            score = scores[scale][source_node]
        else:
            table = costs.keep[scale] if target == scale else costs.down[scale]
            row = table[:, widths[scale][source_node], widths[target][target_node]]
            score = scores[scale][source_node] * scores[target][target_node]
        total += float(alpha @ row) * score
    return total


def enumerated_latency(
    alphas: Sequence[np.ndarray],
    betas: Sequence[np.ndarray],
    widths: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    costs: LatencyCosts,
) -> float:
    """The latency summed over the three ends, each the mean over its paths."""
    num_layers = len(alphas[0])
    return sum(
        path_probability(path, betas) * path_latency(path, alphas, widths, scores, costs)
        for end in range(3)
        for path in paths(num_layers, end)
    )


def _node(layer: int, scale: int) -> int:
    """The row of γ of the node after `layer`."""
    return layer if scale == 0 else layer - scale + 1
