"""The reference implementation's weights, gradients and statistics, placed on our layers.

A layer is seen as named parts: a kernel (a variable) or a normalisation (a layer), each by the name
that the reference's state dict gives it. `conv1.weight` then is the kernel `conv1`, transposed, and
`bn1.bn.2.running_var` row 2 of the moving variance of the normalisation `bn1`.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.mixed_op import MixedOp
from keras_fasterseg.layers.primitives import ConvPrimitive, FactorizedReduce
from keras_fasterseg.layers.switchable_batch_normalization import SwitchableBatchNormalization
from tests.shared import assert_known

WIDTHS = tuple(twelfths / 12 for twelfths in (4, 6, 8, 10, 12))
# What the fixtures lack (channels past a width) is filled with this: no result may show it.
FILLER = 7.0

_ATTRIBUTES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

Parts = dict[str, keras.Variable | keras.layers.Layer]


def below(fixture: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose key starts with `prefix`, without it."""
    return {
        key.removeprefix(prefix): array for key, array in fixture.items() if key.startswith(prefix)
    }


def width_index(twelfths: int | str) -> int:
    """Index of the width `twelfths` / 12."""
    return WIDTHS.index(int(twelfths) / 12)


def one_hot_width(index: int) -> np.ndarray:
    return np.eye(len(WIDTHS), dtype="float32")[index]


def widen(array: np.ndarray, channels: int) -> np.ndarray:
    """`array` with zero channels appended, as masked layers carry them."""
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, channels - array.shape[-1])])


def conv_batch_norm_parts(layer: ConvBatchNorm, kernel: str, normalization: str) -> Parts:
    return {kernel: layer.convolution.kernel, normalization: layer.normalization}


def primitive_parts(layer: keras.layers.Layer) -> Parts:
    """The parts of what `make_primitive` makes."""
    if isinstance(layer, ConvPrimitive):
        parts = {}
        for number, block in enumerate(layer.blocks, start=1):
            parts |= conv_batch_norm_parts(block, f"conv{number}", f"bn{number}")
        return parts
    if isinstance(layer, FactorizedReduce):
        return {
            "conv1": layer.even_kernel,
            "conv2": layer.odd_kernel,
            "bn": layer.normalization,
        }
    return conv_batch_norm_parts(layer, "conv1", "bn")


def mixed_op_parts(layer: MixedOp) -> Parts:
    return {
        f"_ops.{index}.{name}": part
        for index, primitive in enumerate(layer.primitives)
        for name, part in primitive_parts(primitive).items()
    }


def entries(parts: Parts) -> list[tuple[str, keras.Variable, int | None]]:
    """`(name in the reference, variable, row of it or None for the whole)` of every tensor."""
    found = []
    for name, part in parts.items():
        if isinstance(part, keras.Variable):
            found.append((f"{name}.weight", part, None))
            continue
        switchable = isinstance(part, SwitchableBatchNormalization)
        for row in range(len(part.width_multipliers)) if switchable else [None]:
            prefix = name if row is None else f"{name}.bn.{row}"
            for ending, attribute in _ATTRIBUTES.items():
                found.append((f"{prefix}.{ending}", getattr(part, attribute), row))
    return found


def to_ours(array: np.ndarray) -> np.ndarray:
    """A reference tensor in our layout: kernels as (height, width, in, out)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def load(parts: Parts, weights: dict[str, np.ndarray]) -> None:
    """Assigns a state dict. Raises `KeyError` where it lacks one of our tensors."""
    values = {}
    for name, variable, row in entries(parts):
        array = to_ours(weights[name])
        array = np.where(np.isnan(array), np.float32(FILLER), array)
        if row is None:
            values[variable.path] = (variable, array)
            continue
        _, rows = values.setdefault(
            variable.path, (variable, np.full(variable.shape, FILLER, "float32"))
        )
        rows[row, : array.size] = array
    for variable, array in values.values():
        variable.assign(array)


def entry_value(value, row: int | None, size: int) -> np.ndarray:
    """Part of a variable's `value` that the reference has: all of it, or the start of a row."""
    value = keras.ops.convert_to_numpy(value)
    return value if row is None else value[row, :size]


def gradients(parts: Parts, inputs, cotangent, call) -> tuple[np.ndarray, np.ndarray, dict]:
    """Output, input gradient and `{variable path: gradient}` of `sum(call(inputs) * cotangent)`."""
    variables = {variable.path: variable for _, variable, _ in entries(parts) if variable.trainable}
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = call(inputs)
        total = tf.reduce_sum(outputs * cotangent)
    by_input, by_variable = tape.gradient(
        total, [inputs, {path: variable.value for path, variable in variables.items()}]
    )
    return outputs.numpy(), by_input.numpy(), {k: v.numpy() for k, v in by_variable.items()}


def assert_close_to_size(actual, expected, tolerance: float, message: str = "") -> None:
    """The largest difference, relative to the largest expected magnitude."""
    size = np.nanmax(np.abs(expected))
    assert_known(actual, expected, rtol=0, atol=tolerance * size, err_msg=message)
