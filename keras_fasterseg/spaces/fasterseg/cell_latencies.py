"""Latencies of a supernet's cells for soft operations and sampled widths."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts

Tensor = Any


class CellLatencies(NamedTuple):
    """Latencies of the individual cells, before any choice of path, in milliseconds.

    Attributes:
        keep: One tensor `(num_layers - j,)` for every scale j: cells of stride 1 at layers
            j, j + 1, ..., num_layers - 1.
        down: One tensor `(num_layers - 1 - j,)` for every scale j except the last: cells of stride
            2 at layers j, j + 1, ..., num_layers - 2.
    """

    keep: tuple[Tensor, ...]
    down: tuple[Tensor, ...]


def cell_latencies(
    alphas: Sequence[Tensor], widths: Sequence[Tensor], costs: LatencyCosts
) -> CellLatencies:
    """Latencies of all cells at their sampled widths, weighted by operation probabilities.

    The latency of a cell is `sum_k alpha_k * latency_k * g_in * g_out`. `latency_k` is the row at
    the sampled widths. `g` is the sampled entry of γ: its value is 1 and it carries the gradient.

    Args:
        alphas: As in `branch_latencies`.
        widths: As in `branch_latencies`.
        costs: The device's latencies.
    """
    keep, down = [], []
    for scale, alpha in enumerate(alphas):
        nodes = widths[scale]
        inner = alpha[1:-1] if scale == 0 else alpha[:-1]
        same = [
            _inner(inner, costs.keep[scale], nodes[:-1], nodes[1:]),
            _border(alpha[-1:], costs.last_keep[scale], nodes[-1:]),
        ]
        if scale == 0:
            same.insert(0, _border(alpha[:1], costs.first_keep, nodes[:1]))
        keep.append(ops.concatenate(same))
        if scale + 1 == costs.num_scales:
            continue
        # Row 0 of the next scale's widths is the output node of the first cell of this scale.
        coarser = widths[scale + 1]
        if scale == 0:
            first = _border(alpha[:1], costs.first_down, coarser[:1])
            rest = _inner(inner, costs.down[scale], nodes[:-1], coarser[1:])
            down.append(ops.concatenate([first, rest]))
        else:
            down.append(_inner(inner, costs.down[scale], nodes[:-1], coarser))
    return CellLatencies(tuple(keep), tuple(down))


def _inner(alpha: Tensor, costs: np.ndarray, gamma_in: Tensor, gamma_out: Tensor) -> Tensor:
    """Latencies `(cells,)` of cells between two nodes of sampled widths; costs `(k, n, n)`."""
    table = ops.convert_to_tensor(costs, dtype=alpha.dtype)
    sampled_in, sampled_out = ops.stop_gradient(gamma_in), ops.stop_gradient(gamma_out)
    rows = ops.einsum("kio,ti,to->tk", table, sampled_in, sampled_out)
    return _weigh(alpha, rows) * _score(gamma_in) * _score(gamma_out)


def _border(alpha: Tensor, costs: np.ndarray, gamma: Tensor) -> Tensor:
    """Latencies `(cells,)` of cells with one sampled and one fixed width; costs `(k, n)`."""
    table = ops.convert_to_tensor(costs, dtype=alpha.dtype)
    rows = ops.einsum("kn,tn->tk", table, ops.stop_gradient(gamma))
    return _weigh(alpha, rows) * _score(gamma)


def _weigh(alpha: Tensor, rows: Tensor) -> Tensor:
    return ops.sum(alpha * rows, axis=-1)


def _score(gamma: Tensor) -> Tensor:
    """Sampled entry of every row, `(cells,)`: its value is 1, its gradient that of the entry."""
    return ops.sum(ops.stop_gradient(gamma) * gamma, axis=-1)
