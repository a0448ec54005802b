"""The parts of a training set that a search needs."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.data.source import Sample

FEWEST_SAMPLES = 3
_SAMPLES_PER_HELD_OUT_SAMPLE = 10

PARTS_RECORD = {"held_out": 1 / _SAMPLES_PER_HELD_OUT_SAMPLE}
"""Entry of the division in the records of stages: earlier versions held nothing out."""


@dataclasses.dataclass(frozen=True)
class SearchParts:
    """Parts of a training set, each in its order.

    Attributes:
        held_out: For ranking networks: neither weights nor architectures are fitted to it.
        fitted: All others.
        weights: Half of `fitted` (one more if the number is odd): for the weights, if weights and
            architectures are fitted to different samples.
        architecture: The other half, for the architectures.
    """

    held_out: tuple[Sample, ...]
    fitted: tuple[Sample, ...]
    weights: tuple[Sample, ...]
    architecture: tuple[Sample, ...]


def search_parts(samples: Sequence[Sample], seed: int) -> SearchParts:
    """Holds out every tenth sample (at least one) and divides the others at random into halves.

    Held-out samples are evenly spaced, because neighbours are alike; no seed changes them.

    Args:
        samples: At least three samples.
        seed: The same seed and samples give the same halves.

    Raises:
        ValueError: There are fewer than three samples.

    Reference:
        Halves: Chen et al., "FasterSeg", ICLR 2020, section 4.1. The held-out part: our choice.
    """
    count = len(samples)
    if count < FEWEST_SAMPLES:
        raise ValueError(
            f"A search needs at least {FEWEST_SAMPLES} training images. Received: {count}"
        )
    held_out = held_out_count(count)
    spaced = {index * count // held_out for index in range(held_out)}
    fitted = np.asarray([index for index in range(count) if index not in spaced])
    order = np.random.default_rng(seed).permutation(fitted)
    middle = (len(fitted) + 1) // 2
    return SearchParts(
        *(
            tuple(samples[index] for index in sorted(indexes))
            for indexes in (spaced, fitted, order[:middle], order[middle:])
        )
    )


def held_out_count(count: int) -> int:
    """Number of samples that a search holds out of `count`."""
    return max(1, count // _SAMPLES_PER_HELD_OUT_SAMPLE)


def batch_images(count: int, single_level: bool) -> int:
    """Number of images from which a search that has `count` draws a batch.

    Args:
        count: Number of training images.
        single_level: Whether weights and architectures are fitted to the same images.
    """
    fitted = count - held_out_count(count)
    return fitted if single_level else fitted // 2
