"""Differentiable latency of a supernet with soft choices."""

from collections.abc import Sequence
from typing import Any

from keras_fasterseg.spaces.fasterseg.cell_latencies import cell_latencies
from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts

Tensor = Any


def expected_latency(
    alphas: Sequence[Tensor],
    betas: Sequence[Tensor],
    widths: Sequence[Tensor],
    costs: LatencyCosts,
) -> Tensor:
    """Latency of a supernet: the sum of `branch_latencies` over the scales.

    Args:
        alphas: As in `branch_latencies`.
        betas: As in `branch_latencies`.
        widths: As in `branch_latencies`.
        costs: The device's latencies.

    Returns:
        A scalar tensor in milliseconds, differentiable with respect to all choices.

    Raises:
        ValueError: The shapes do not match one supernet.

    Reference: FasterSeg (Chen et al., ICLR 2020), section 3.2, latency estimation.
    """
    return sum(branch_latencies(alphas, betas, widths, costs))


def branch_latencies(
    alphas: Sequence[Tensor],
    betas: Sequence[Tensor],
    widths: Sequence[Tensor],
    costs: LatencyCosts,
) -> tuple[Tensor, ...]:
    """Expected latency from the image to the last layer's output at each scale.

    If the choices along a branch are one-hot, the branch's entry is the stem plus the cells on that
    path. Every entry therefore includes the stem.

    Args:
        alphas: Probabilities of the operations, `(num_layers - j, operations)` for scale j; row t
            belongs to the cell at layer t + j.
        betas: Probabilities of a node's two inputs, `(num_layers - 1 - j, 2)` for scale j >= 1.
            Column 0 is the input from the finer scale (down), column 1 from the same scale (keep);
            row t belongs to the cell at layer t + j + 1.
        widths: Sampled widths of the nodes, one-hot in value (straight-through).
            `(num_layers - 1, widths)` for scale 0: row i is the node after layer i.
            `(num_layers - j, widths)` for scale j >= 1: row t is the node after layer t + j - 1.
        costs: The device's latencies.

    Returns:
        A tuple of scalar tensors in milliseconds, one per scale.

    Raises:
        ValueError: The shapes do not match one supernet.
    """
    _check_shapes(alphas, betas, widths, costs)
    cells = cell_latencies(alphas, widths, costs)
    num_layers = alphas[0].shape[0]
    last_scale = costs.num_scales - 1
    keeps: list[Tensor] = []
    downs: list[Tensor] = []
    for layer in range(num_layers):
        arrivals = [
            _arrival(layer, scale, keeps, downs, betas, costs.stem_ms)
            for scale in range(min(layer, last_scale) + 1)
        ]
        keeps = [
            arrival + cells.keep[scale][layer - scale] for scale, arrival in enumerate(arrivals)
        ]
        downs = [
            arrival + cells.down[scale][layer - scale]
            for scale, arrival in enumerate(arrivals)
            if scale < last_scale and layer < num_layers - 1
        ]
    return tuple(keeps)


def _arrival(
    layer: int,
    scale: int,
    keeps: Sequence[Tensor],
    downs: Sequence[Tensor],
    betas: Sequence[Tensor],
    stem_ms: float,
) -> Tensor:
    """Latency up to the input of the cell at (layer, scale), from the latencies after layer - 1."""
    if layer == 0:
        return stem_ms
    if scale == 0:
        return keeps[0]
    if scale == layer:
        return downs[scale - 1]
    from_down, from_keep = 0, 1
    beta = betas[scale - 1][layer - scale - 1]
    return beta[from_keep] * keeps[scale] + beta[from_down] * downs[scale - 1]


def _check_shapes(
    alphas: Sequence[Tensor],
    betas: Sequence[Tensor],
    widths: Sequence[Tensor],
    costs: LatencyCosts,
) -> None:
    scales = range(costs.num_scales)
    layers = alphas[0].shape[0] if alphas else 0
    expected = {
        "alphas": [(layers - j, costs.num_operations) for j in scales],
        "betas": [(layers - 1 - j, 2) for j in scales[1:]],
        "widths": [(layers - max(j, 1), costs.num_widths) for j in scales],
    }
    received = {
        "alphas": [tuple(alpha.shape) for alpha in alphas],
        "betas": [tuple(beta.shape) for beta in betas],
        "widths": [tuple(gamma.shape) for gamma in widths],
    }
    if layers < costs.num_scales:
        raise ValueError(
            f"A supernet with {costs.num_scales} scales needs at least {costs.num_scales} layers. "
            f"Received: alphas of shapes {received['alphas']}"
        )
    for name, shapes in expected.items():
        if received[name] != shapes:
            raise ValueError(
                f"`{name}` of a supernet with {layers} layers must have the shapes {shapes}. "
                f"Received: {received[name]}"
            )
