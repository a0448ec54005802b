"""The latency recursion of the released code with its faults, over this package's cell latencies.

It states what the fixtures of the released code hold. The faults: every β is indexed by the last
scale of its layer instead of the node's own; latencies of a layer are read after they were updated
in that very layer; down starts at the end of the cell instead of at its input.
"""

from collections.abc import Sequence
from typing import Any

from keras_fasterseg.spaces.fasterseg.cell_latencies import cell_latencies
from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts

Tensor = Any


def released_latency(
    alphas: Sequence[Tensor],
    betas: Sequence[Tensor],
    gammas: Sequence[Tensor],
    costs: LatencyCosts,
) -> Tensor:
    """The released `forward_latency`.

    Args:
        alphas: As in `branch_latencies`, of three scales.
        betas: As in `branch_latencies`.
        gammas: As in `branch_latencies`.
        costs: The device's latencies.

    Returns:
        A scalar tensor in milliseconds.

    Reference: the supernet of FasterSeg's released search code (Chen et al., ICLR 2020).
    """
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
