"""Weights of a network's operations from those of mixed operations."""

from typing import Any

import keras
import numpy as np

from keras_fasterseg.layers.layer_stack import LayerStack


def inherit(
    layer: keras.layers.Layer, stack: LayerStack, index: int, operation: str | None
) -> None:
    """Copies weights to an operation of a network.

    Scales and offsets of normalisations, which mixed operations lack, keep their start of 1 and 0.

    Args:
        layer: The operation of the network.
        stack: A stack of `MixedCellOp`.
        index: Index of the mixed operation.
        operation: Name of the operation in it; None for the only one.
    """
    template: Any = stack.template
    source = template.layers[template.operations[0] if operation is None else operation]
    values = {
        _relative(variable, source): np.asarray(stacked[index])
        for variable, stacked in zip(source.variables, stack.stacked(source.variables), strict=True)
    }
    for variable in layer.variables:
        name = _relative(variable, layer)
        if not name.endswith(("gamma", "beta")):
            variable.assign(values[name])


def _relative(variable: keras.Variable, layer: keras.layers.Layer) -> str:
    return variable.path.rpartition(f"{layer.name}/")[2]
