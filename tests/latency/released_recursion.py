"""The latency recursion of the released code with its faults, over this package's cell latencies.

It lives with the tests: it exists to prove, on values and gradients that the released code
produced, that the parts which the right recursion shares with it (rows, widths, scores, order of
α, β and γ) are the same. The faults: every β is indexed by the last scale of its layer instead of
the node's own; latencies of a layer are read after they were updated in that very layer; down
starts at the end of the cell instead of at its input.
"""

from collections.abc import Sequence
from typing import Any

from keras_fasterseg.latency.costs import LatencyCosts
from keras_fasterseg.latency.estimator import cell_latencies

Tensor = Any


def released_latency(
    alphas: Sequence[Tensor],
    betas: Sequence[Tensor],
    gammas: Sequence[Tensor],
    costs: LatencyCosts,
) -> Tensor:
    """The released `forward_latency` in milliseconds."""
    cells = cell_latencies(alphas, gammas, costs)
    num_layers = alphas[0].shape[0]
    out = [costs.stem_ms, 0.0, 0.0]
    down = [0.0, 0.0, 0.0]
    for layer in range(num_layers):
        last_scale = min(layer, 2)
        is_last = layer == num_layers - 1
        for scale in range(last_scale + 1):
            keep_ms = cells.keep[scale][layer - scale]
            has_down = scale < 2 and not is_last
            down_ms = cells.down[scale][layer - scale] if has_down else 0.0
            if scale == 0:
                out[0] = out[0] + keep_ms
                down[0] = out[0] + down_ms if has_down else down[0]
            elif scale == layer:
                out[scale] = down[scale - 1] + keep_ms
                down[scale] = down[scale - 1] + down_ms if has_down else down[scale]
            else:
                rows = betas[last_scale - 1]
                # At layer 2 the index is -1, which is the last row.
                beta = rows[(layer - last_scale - 1) % rows.shape[0]]
                out[scale] = beta[1] * out[scale] + beta[0] * down[scale - 1] + keep_ms
                down[scale] = beta[1] * out[scale] + beta[0] * down[scale - 1] + down_ms
    return out[0] + out[1] + out[2]
