"""Small genotypes for the networks of video object segmentation."""

import itertools

import numpy as np

from keras_fasterseg.spaces.autortnet.genotype import AutoRTNetGenotype
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype
from tests.conformance.spaces import tiny_space

SMALL = JointGenotype(
    "joint",
    stem_filters=4,
    early_filters=8,
    late_filters=16,
    early=(JointBlock(1, False, 4, 4),),
    late=(JointBlock(2, True, 4, 8),),
)
"""The smallest encoder; it has features at 1/4 and 1/8."""


def random_genotype(name: str) -> Genotype:
    """A random genotype of the tiny space `name`."""
    return tiny_space(name).random_genotype(np.random.default_rng(0))


def genotype_with_reductions(reductions: int) -> AutoRTNetGenotype:
    """A random genotype of the tiny AutoRTNet-style space with so many reductions behind 1/2."""
    space, generator = tiny_space("autortnet"), np.random.default_rng(0)
    drawn = (space.random_genotype(generator) for _ in itertools.count())
    return next(each for each in drawn if each.level == reductions)
