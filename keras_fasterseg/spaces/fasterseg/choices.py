"""Choices of an architecture for the supernet: weights of operations and paths, and widths."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Choices:
    """One setting of the supernet, or several; L layers, scales j = 0, 1, 2 for 1/8, 1/16, 1/32.

    Several settings (see `stack_settings`) give each tensor one more axis, the first.

    A layer takes it by keyword: to Keras it is one opaque value, since tensors and a name may not
    be mixed in an argument. `tf.function` sees its tensors as inputs and the rest as constants.

    Attributes:
        alphas: Three tensors `(L - j, 5)`: probabilities of the primitives; the cell of layer i and
            scale j uses row i - j.
        betas: Two tensors `(L - 2, 2)`, `(L - 3, 2)` for scales 1 and 2: probabilities that a node
            is reached from the finer scale (column 0) or from its own (column 1); layer i uses row
            i - j - 1.
        widths: An index of the width multipliers for all nodes, or three one-hot tensors
            `(L - 1, widths)`, `(L - 1, widths)`, `(L - 2, widths)`: the node after layer i uses row
            i at scale 0 and i - j + 1 at scale j.
        role: Whose stem and heads are used: "teacher" or "student"; of several settings a tuple of
            one each, or a boolean tensor for all: true for the student's.
    """

    alphas: tuple[Any, Any, Any]
    betas: tuple[Any, Any]
    widths: int | tuple[Any, Any, Any]
    role: str | tuple[str, ...] | Any

    @property
    def settings(self) -> int:
        """Number of settings."""
        shape = self.alphas[0].shape
        return shape[0] if len(shape) == 3 else 1

    def __tf_flatten__(self):
        """The constants and the tensors, as `tf.nest` asks for them."""
        width = self.widths if isinstance(self.widths, int) else None
        role = self.role if isinstance(self.role, str | tuple) else None
        tensors = (
            self.alphas,
            self.betas,
            self.widths if width is None else (),
            self.role if role is None else (),
        )
        return (width, role), tensors

    @classmethod
    def __tf_unflatten__(cls, metadata, components) -> "Choices":
        width, role = metadata
        alphas, betas, widths, tensor = components
        return cls(
            alphas, betas, widths if width is None else width, tensor if role is None else role
        )


def stack_settings(settings: Sequence[Choices]) -> Choices:
    """Several settings, each with one-hot widths, as one: the supernet runs them in one pass."""
    # Here, since settings of runs need the widths above and no Keras.
    from keras import ops

    def stacked(family: str) -> tuple[Any, ...]:
        rows = zip(*(getattr(each, family) for each in settings), strict=True)
        return tuple(map(ops.stack, rows))

    alphas, betas, widths = (stacked(family) for family in ("alphas", "betas", "widths"))
    return Choices(alphas, betas, widths, tuple(each.role for each in settings))


def width_shapes(num_layers: int) -> tuple[int, int, int]:
    """Number of nodes with a width of their own at each scale."""
    return (num_layers - 1, num_layers - 1, num_layers - 2)


def uniform_widths(index: int, num_layers: int, num_widths: int) -> tuple[Any, Any, Any]:
    """One-hot widths that give every node width `index`."""
    # Here, since settings need the widths above and no Keras.
    from keras import ops

    row = np.eye(num_widths, dtype="float32")[index]
    return tuple(ops.convert_to_tensor(np.tile(row, (n, 1))) for n in width_shapes(num_layers))


def one_hot_widths(indexes: Any, num_widths: int) -> tuple[Any, Any, Any]:
    """One-hot widths of three integer arrays, one a scale."""
    from keras import ops

    return tuple(ops.one_hot(index, num_widths, dtype="float32") for index in indexes)
