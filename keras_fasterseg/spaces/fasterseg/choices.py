"""Settings of the supernet: weights of operations and paths, and widths."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Choices:
    """One or several settings of the supernet.

    Shapes use L layers and scales j = 0, 1, 2 for 1/8, 1/16, 1/32. With several settings (see
    `stack_settings`) each tensor has an additional first axis.

    Pass it to layers by keyword: Keras then treats it as one opaque value, because an argument may
    not mix tensors and a name. `tf.function` traces its tensors as inputs and the rest as
    constants.

    Attributes:
        alphas: Three tensors `(L - j, 5)` with the probabilities of the primitives. The cell at
            layer i and scale j uses row i - j.
        betas: Two tensors `(L - 2, 2)`, `(L - 3, 2)` for scales 1 and 2 with the probabilities of a
            node's input: from the finer scale (column 0) or from the same scale (column 1). Layer i
            uses row i - j - 1.
        widths: An index of the width multipliers for all nodes, or three one-hot tensors
            `(L - 1, widths)`, `(L - 1, widths)`, `(L - 2, widths)`. The node after layer i uses row
            i at scale 0 and row i - j + 1 at scales j = 1, 2.
        role: Role whose stem and heads are used: "teacher" or "student". With several settings, a
            tuple of roles, or one boolean tensor for all settings: true for the student.
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
        """Returns constants and tensors in the form that `tf.nest` expects."""
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
    """Stacks settings with one-hot widths, so that the supernet runs them in one pass."""
    # Imported here because this module must load without Keras.
    from keras import ops

    def stacked(family: str) -> tuple[Any, ...]:
        rows = zip(*(getattr(each, family) for each in settings), strict=True)
        return tuple(map(ops.stack, rows))

    alphas, betas, widths = (stacked(family) for family in ("alphas", "betas", "widths"))
    return Choices(alphas, betas, widths, tuple(each.role for each in settings))


def width_shapes(num_layers: int) -> tuple[int, int, int]:
    """Number of nodes with a choice of width, by scale."""
    return (num_layers - 1, num_layers - 1, num_layers - 2)


def uniform_widths(index: int, num_layers: int, num_widths: int) -> tuple[Any, Any, Any]:
    """One-hot widths that give every node the width `index`."""
    # Imported here because this module must load without Keras.
    from keras import ops

    row = np.eye(num_widths, dtype="float32")[index]
    return tuple(ops.convert_to_tensor(np.tile(row, (n, 1))) for n in width_shapes(num_layers))


def one_hot_widths(indexes: Any, num_widths: int) -> tuple[Any, Any, Any]:
    """One-hot widths from three integer arrays, one per scale."""
    from keras import ops

    return tuple(ops.one_hot(index, num_widths, dtype="float32") for index in indexes)
