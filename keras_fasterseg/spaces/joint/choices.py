"""Probabilities of all choices of the joint space."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_fasterseg.spaces.joint.settings import JointSettings

FAMILIES = ("depth", "operation", "middle", "last")

Choices = dict[str, Any]
"""Probabilities by family. The groups of early blocks (at 1/4) precede those of late blocks (1/8).

- `depth`: a pair, `(early_blocks,)` and `(late_blocks,)`; entry i stands for i + 1 blocks.
- `operation`: `(blocks, operations)`, in the order of `operations`.
- `middle`, `last`: `(blocks, operations, widths)`, the largest width first.

A choice of probability 0 is not computed.
"""


@dataclasses.dataclass(frozen=True)
class BlockOperation:
    """Operation of a block.

    Attributes:
        dilation: Dilation of its convolutions.
        pooled: Whether it works at half the size.
    """

    dilation: int
    pooled: bool


def operations(settings: JointSettings) -> tuple[BlockOperation, ...]:
    """The operations that a block chooses from: all dilations at full size, then pooled."""
    return tuple(
        BlockOperation(dilation, pooled)
        for pooled in (False, True)
        for dilation in settings.dilations
    )


def stages(settings: JointSettings, choices: Choices) -> tuple[Choices, Choices]:
    """Choices of the early and of the late blocks, each with `depth` as a tensor."""
    ends = (slice(0, settings.early_blocks), slice(settings.early_blocks, None))
    return tuple(  # pyright: ignore[reportReturnType]
        {"depth": depth} | {name: choices[name][rows] for name in FAMILIES[1:]}
        for depth, rows in zip(choices["depth"], ends, strict=True)
    )


def reached(depth: Any) -> Any:
    """Probability that each block of a stage is used: `P(depth >= i)`.

    Args:
        depth: Probability of 1, 2, ..., N blocks, `(N,)`.
    """
    return ops.flip(ops.cumsum(ops.flip(depth)))


def with_scaled_gradient(values: Any, factor: float) -> Any:
    """Returns `values` unchanged; gradients through them are multiplied by `factor`."""

    def scaled(value: Any) -> Any:
        return value + (factor - 1.0) * (value - ops.stop_gradient(value))

    return keras.tree.map_structure(scaled, values)
