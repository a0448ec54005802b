"""The operations of an edge of a cell in parallel, blended by weight."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS, ZERO, make_cell_operation


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class MixedCellOp(keras.layers.Layer):
    """Weighted sum of operations: `sum_k weights[k] * operation_k(inputs)`.

    Batch normalisations have no scale and no offset, so that weights alone set the size of each
    term.

    Args:
        filters: Output channels.
        strides: 1 keeps the scale; 2 halves height and width.
        operations: Names of the operations; see `make_cell_operation`. "zero" adds nothing.

    Call arguments:
        inputs: `(batch, height, width, channels)`; height and width are even at stride 2.
        weights: `(operations,)`.
        width: Always `None`: a `LayerStack` passes it.
        training: Whether batch statistics are used and the running ones updated.

    Output shape:
        `(batch, height / strides, width / strides, filters)`.

    Reference:
        DARTS (https://arxiv.org/abs/1806.09055).
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        operations: Sequence[str] = CELL_OPERATIONS,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.operations = tuple(operations)
        self.layers = {
            name: make_cell_operation(
                name, filters, strides, affine=False, dtype=self.dtype_policy, name=name
            )
            for name in self.operations
            if name != ZERO
        }

    def build(self, input_shape):
        for layer in self.layers.values():
            layer.build(input_shape)

    def call(self, inputs, weights, width: None = None, training: bool | None = None):
        shares = dict(zip(self.operations, ops.unstack(weights), strict=True))
        total = 0.0
        for name, layer in self.layers.items():
            outputs = layer(inputs, training=training)
            total = total + outputs * ops.cast(shares[name], outputs.dtype)
        return total

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        sides = (None if side is None else -(-side // self.strides) for side in (height, width))
        return (batch, *sides, self.filters)

    def compute_output_spec(self, inputs, weights, width: None = None, training=None):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self):
        names = ("filters", "strides", "operations")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
