"""The student's expected latency as a term of the loss."""

from typing import Any, Self

from keras_fasterseg.spaces.fasterseg.choices import Choices
from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts
from keras_fasterseg.spaces.fasterseg.decoupled import (
    CODE,
    PAPER,
    LatencyWeights,
    auto_weights,
    decoupled_latency,
)
from keras_fasterseg.spaces.fasterseg.expected_latency import expected_latency


class LatencyPenalty:
    """The student's expected latency, relative to a target.

    Args:
        costs: The device's latencies.
        target_ms: Latency that gives a penalty of 1, in milliseconds: 1000 divided by the middle of
            the band, in frames per second.
        weights: Weights of three terms, for operators, paths and widths. None: a single term, the
            latency as a function of all three (undivided).
    """

    def __init__(
        self, costs: LatencyCosts, target_ms: float, weights: LatencyWeights | None = PAPER
    ):
        if target_ms <= 0:
            raise ValueError(f"`target_ms` must be positive. Received: target_ms={target_ms}")
        self.costs = costs
        self.target_ms = target_ms
        self.weights = weights

    @classmethod
    def of(cls, costs: LatencyCosts, target_ms: float, shares: str, num_layers: int) -> Self:
        """Makes the penalty with the weights named `shares`: paper, code, auto or undivided.

        Raises:
            ValueError: `shares` is unknown, or `target_ms` is not positive.
        """
        named = {"paper": PAPER, "code": CODE, "undivided": None}
        if shares == "auto":
            return cls(costs, target_ms, auto_weights(costs, num_layers))
        if shares not in named:
            raise ValueError(
                f"`shares` must be auto or one of {', '.join(named)}. Received: {shares!r}"
            )
        return cls(costs, target_ms, named[shares])

    def __call__(self, choices: Choices) -> Any:
        """Penalty of `choices`, dimensionless and differentiable."""
        if isinstance(choices.widths, int):
            raise ValueError(f"The widths must be one-hot tensors. Received: {choices.widths}")
        families = (choices.alphas, choices.betas, choices.widths)
        if self.weights is None:
            latency = expected_latency(*families, self.costs)
        else:
            latency = decoupled_latency(*families, self.costs, self.weights)
        return latency / self.target_ms
