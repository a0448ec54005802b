"""Dropout that is the same for a batch and for its parts on several devices."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg import replicas


def dropout(
    inputs: Any, rate: float, random: keras.random.SeedGenerator | None, settings: int = 1
) -> Any:
    """Sets features to zero with probability `rate`, and scales the others by `1 / (1 - rate)`.

    Replicas that share a batch draw the numbers of the complete one, and use those of their part.

    Args:
        inputs: `(settings * batch, ...)`.
        rate: Probability, below 1.
        random: Generator of random numbers.
        settings: Number of consecutive settings of the supernet in the batch.
    """
    count = replicas.count()
    if count == 1:
        return keras.random.dropout(inputs, rate, seed=random)
    size, *rest = ops.shape(inputs)
    ones = ops.ones((size * count, *rest), inputs.dtype)
    factors = keras.random.dropout(ones, rate, seed=random)
    parts = ops.reshape(factors, (settings, count, size // settings, *rest))
    return inputs * ops.reshape(parts[:, replicas.place_in_batch()], (size, *rest))
