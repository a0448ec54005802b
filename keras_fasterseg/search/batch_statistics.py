"""Estimation of the statistics of batch normalisation for a network whose weights are given.

Running statistics of a supernet are averages over all networks that its training has run, so they
fit none of them.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import MOMENTUM


@contextlib.contextmanager
def estimated_statistics(
    model: keras.Model, batches: Sequence[tuple[Any, Any]], run: Callable[[Any, Any], Any]
) -> Iterator[None]:
    """Sets a model's statistics to those of some batches, and back on leaving.

    Args:
        model: The model.
        batches: Images and labels. Empty: the statistics stay as they are.
        run: Runs the model on images and labels in training mode: once, with a single setting.
    """
    variables = statistics_of(model)
    # With dropout, its random states change too.
    changed = model.non_trainable_variables
    before = [ops.convert_to_numpy(variable) for variable in changed]
    try:
        if batches:
            tensors = (map(ops.convert_to_tensor, batch) for batch in batches)
            estimate_statistics(
                variables,
                (batch_statistics(lambda each=each: run(*each), variables) for each in tensors),
                [len(images) for images, _ in batches],
            )
        yield
    finally:
        for variable, value in zip(changed, before, strict=True):
            variable.assign(value)


def statistics_of(model: keras.Model) -> list[keras.Variable]:
    """Running statistics of a model's normalisations: means and variances in turns.

    Raises:
        ValueError: A mean is not followed by its variance.
    """
    variables = [
        variable
        for variable in model.non_trainable_variables
        if variable.path.endswith(("moving_mean", "moving_variance"))
    ]
    for mean, variance in zip(variables[::2], variables[1::2], strict=True):
        if mean.path.removesuffix("mean") != variance.path.removesuffix("variance"):
            raise ValueError(f"{mean.path} is followed by {variance.path}, not by its variance.")
    return variables


def batch_statistics(run: Callable[[], Any], variables: Sequence[keras.Variable]) -> list[Any]:
    """Means and variances of one batch; the running statistics do not change.

    Args:
        run: Runs the model on the batch in training mode: once, with a single setting.
        variables: The result of `statistics_of`.
    """
    before = [ops.copy(variable.value) for variable in variables]
    for variable in variables:
        variable.assign(ops.zeros(variable.shape))
    run()
    # An update keeps MOMENTUM of the old value, which is zero.
    values = [ops.copy(variable.value) / (1.0 - MOMENTUM) for variable in variables]
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return values


def estimate_statistics(
    variables: Sequence[keras.Variable],
    batches: Iterable[Sequence[Any]],
    weights: Iterable[float],
) -> None:
    """Sets running statistics to those of all batches together.

    The variance is the mean variance of the batches plus the variance of their means. Rows that no
    batch has used, such as those of other widths, keep their values.

    Args:
        variables: The result of `statistics_of`.
        batches: The result of `batch_statistics` for every batch, one or more.
        weights: Number of images of every batch.

    Raises:
        ValueError: There are no batches.

    Reference:
        "Precise BN" (Wu & Johnson, 2021, https://arxiv.org/abs/2105.07576), section 3.
    """
    count, sums = 0.0, [np.zeros(tuple(variable.shape), "float64") for variable in variables]
    squares = [np.zeros_like(each) for each in sums[::2]]
    for batch, weight in zip(batches, weights, strict=True):
        values = [ops.convert_to_numpy(value).astype("float64") for value in batch]
        for total, value in zip(sums, values, strict=True):
            total += weight * value
        for square, mean in zip(squares, values[::2], strict=True):
            square += weight * mean**2
        count += weight
    if not count:
        raise ValueError("Statistics cannot be estimated without batches.")
    for index, square in enumerate(squares):
        mean, variance = (total / count for total in sums[2 * index : 2 * index + 2])
        spread = np.maximum(square / count - mean**2, 0.0)
        used = np.any((variance > 0) | (mean != 0), axis=-1, keepdims=True)
        for variable, value in zip(
            variables[2 * index : 2 * index + 2], (mean, variance + spread), strict=True
        ):
            old = ops.convert_to_numpy(variable)
            variable.assign(np.where(used, value, old).astype(old.dtype))
