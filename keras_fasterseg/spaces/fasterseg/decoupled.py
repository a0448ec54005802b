"""Latency of a supernet, computed separately for operators, paths and widths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts
from keras_fasterseg.spaces.fasterseg.expected_latency import expected_latency

Tensor = Any


@dataclass(frozen=True)
class LatencyWeights:
    """Weights of the three latency terms, one per family of choices; see `PAPER` and `CODE`.

    Attributes:
        operator: Weight of the latency as a function of the operations α.
        path: Weight of the latency as a function of the paths β.
        width: Weight of the latency as a function of the widths γ.

    Raises:
        ValueError: A weight is negative, or all are zero.

    Reference: FasterSeg (Chen et al., ICLR 2020), section 3.2.
    """

    operator: float = 0.001
    path: float = 0.997
    width: float = 0.002

    def __post_init__(self) -> None:
        weights = (self.operator, self.path, self.width)
        if not all(weight >= 0 for weight in weights) or not sum(weights) > 0:
            raise ValueError(
                "Latency weights must be at least 0 and not all 0. "
                f"Received: operator={self.operator}, path={self.path}, width={self.width}"
            )


PAPER = LatencyWeights()
CODE = LatencyWeights(operator=0.002, path=0.994, width=0.004)


def decoupled_latency(
    alphas: Sequence[Tensor],
    betas: Sequence[Tensor],
    widths: Sequence[Tensor],
    costs: LatencyCosts,
    weights: LatencyWeights = PAPER,
) -> Tensor:
    """Weighted sum of three latencies, each a function of one family of choices only.

    `operator · Lat(α | β uniform, widths maximal) + path · Lat(β | α uniform, widths maximal)
    + width · Lat(γ | α and β uniform)`. Latency depends much more on the operations than on the
    paths; without the division its gradient would hardly affect the paths.

    Args:
        alphas: As in `branch_latencies`.
        betas: As in `branch_latencies`.
        widths: As in `branch_latencies`.
        costs: The device's latencies.
        weights: Weight of each family.

    Returns:
        A scalar tensor in milliseconds.

    Raises:
        ValueError: The shapes do not match one supernet.

    Reference: FasterSeg (Chen et al., ICLR 2020), section 3.2.
    """
    even_alphas = [_uniform(alpha) for alpha in alphas]
    even_betas = [_uniform(beta) for beta in betas]
    widest = [_one_hot(gamma, costs.num_widths - 1) for gamma in widths]
    return (
        weights.operator * expected_latency(alphas, even_betas, widest, costs)
        + weights.path * expected_latency(even_alphas, betas, widest, costs)
        + weights.width * expected_latency(even_alphas, even_betas, widths, costs)
    )


def auto_weights(costs: LatencyCosts, num_layers: int) -> LatencyWeights:
    """Weights that give the three families equal influence on the device of `costs`.

    The weight of a family is proportional to the inverse of its spread: the latency of its most
    expensive uniform setting minus that of its cheapest. The other families are fixed as in
    `decoupled_latency`. Uniform settings use one operation in all cells, one input (down or keep)
    for all nodes, or one width for all nodes. A family without a spread, such as a single width,
    gets weight 0. The weights sum to 1.

    Args:
        costs: The device's latencies.
        num_layers: Layers of the supernet.

    Raises:
        ValueError: No family has a spread, or there are fewer layers than scales.

    Reference: FasterSeg (Chen et al., ICLR 2020), section 3.2.
    """
    scales = range(costs.num_scales)
    alphas = [ops.zeros((num_layers - j, costs.num_operations), "float32") for j in scales]
    betas = [ops.zeros((num_layers - 1 - j, 2), "float32") for j in scales[1:]]
    widths = [ops.zeros((num_layers - max(j, 1), costs.num_widths), "float32") for j in scales]
    even_alphas = [_uniform(alpha) for alpha in alphas]
    even_betas = [_uniform(beta) for beta in betas]
    widest = [_one_hot(gamma, costs.num_widths - 1) for gamma in widths]

    by_operator = [
        expected_latency([_one_hot(alpha, k) for alpha in alphas], even_betas, widest, costs)
        for k in range(costs.num_operations)
    ]
    by_path = [
        expected_latency(even_alphas, [_one_hot(beta, side) for beta in betas], widest, costs)
        for side in range(2)
    ]
    by_width = [
        expected_latency(even_alphas, even_betas, [_one_hot(gamma, n) for gamma in widths], costs)
        for n in range(costs.num_widths)
    ]
    shares = [_inverse_spread(settings) for settings in (by_operator, by_path, by_width)]
    total = sum(shares)
    if total == 0:
        raise ValueError(
            "Latency weights cannot be computed: no choice of operation, path or width changes the "
            "latency. Measure the table again or set the weights."
        )
    return LatencyWeights(*(share / total for share in shares))


def _uniform(probabilities: Tensor) -> Tensor:
    return ops.full_like(probabilities, 1.0 / probabilities.shape[-1])


def _one_hot(choices: Tensor, index: int) -> Tensor:
    rows, options = choices.shape
    return ops.one_hot(ops.full((rows,), index, "int32"), options, dtype=choices.dtype)


def _inverse_spread(latencies: Sequence[Tensor]) -> float:
    values = [float(latency) for latency in latencies]
    spread = max(values) - min(values)
    # A spread below float32's resolution of the sums is a rounding error; its inverse would
    # outweigh the other families.
    return 1.0 / spread if spread > 1e-5 * max(values) else 0.0
