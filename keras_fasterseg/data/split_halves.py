"""The two halves of a training set that a bilevel search needs."""

from collections.abc import Sequence

import numpy as np

from keras_fasterseg.data.source import Sample


def split_halves(
    samples: Sequence[Sample], seed: int
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Divides `samples` at random into a half for the weights and one for the architecture.

    Args:
        samples: At least two samples.
        seed: The same seed and samples give the same halves.

    Returns:
        The weights' half (one larger if the number is odd) and the architecture's half, disjoint,
        together all samples, each in the order of `samples`.

    Raises:
        ValueError: There are fewer than two samples.

    Reference:
        Chen et al., "FasterSeg", ICLR 2020, section 4.1.
    """
    if len(samples) < 2:
        raise ValueError(f"Two halves need at least 2 samples, received {len(samples)}.")
    order = np.random.default_rng(seed).permutation(len(samples))
    middle = (len(samples) + 1) // 2
    weights, architecture = np.sort(order[:middle]), np.sort(order[middle:])
    return (
        tuple(samples[index] for index in weights),
        tuple(samples[index] for index in architecture),
    )
