"""Random networks of the search space, small and large, that a search could derive."""

from collections.abc import Sequence

import numpy as np

from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.choices import width_shapes
from keras_fasterseg.spaces.fasterseg.derive import derive
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype

BRANCH_PAIRS = ((32, 8), (32, 16))

_CONCENTRATIONS = (0.1, 10.0)


def random_genotype(
    generator: np.random.Generator,
    *,
    base_filters: int,
    width_multipliers: Sequence[float],
    stem_head_width: float,
    num_layers: int = 16,
    allow_skip: bool = True,
) -> FasterSegGenotype:
    """Derives a network from random logits, so the search could derive every result.

    Uniform choices in every cell would give networks of almost equal latency, because many cells
    average out. Each network therefore first draws preferences for primitives and for widths,
    between almost a single choice and all choices alike. Every cell and node then draws according
    to these preferences. Paths and the pair of branches are uniform.

    Args:
        generator: Source of randomness; equal states give equal networks.
        base_filters: Filters per unit of scale.
        width_multipliers: Possible widths of a node, each in (0, 1].
        stem_head_width: Width multiplier of stem and heads.
        num_layers: Layers of the supernet, at least 4.
        allow_skip: Whether cells may be removed, as in the student.

    Raises:
        ValueError: There are too few layers, or a width is out of range.
    """
    num_widths = len(width_multipliers)
    primitives = _log_preferences(generator, len(PRIMITIVES))
    widths = _log_preferences(generator, num_widths)
    # The argmax of log-probabilities plus Gumbel noise is a sample from these probabilities.
    alphas = [
        primitives + generator.gumbel(size=(num_layers - index, len(PRIMITIVES)))
        for index in range(3)
    ]
    betas = [generator.gumbel(size=(num_layers - index, 2)) for index in (2, 3)]
    gammas = [
        widths + generator.gumbel(size=(nodes, num_widths)) for nodes in width_shapes(num_layers)
    ]
    return derive(
        alphas,
        betas,
        gammas,
        base_filters=base_filters,
        width_multipliers=width_multipliers,
        stem_width=stem_head_width,
        head_width=stem_head_width,
        branch_scales=BRANCH_PAIRS[generator.integers(len(BRANCH_PAIRS))],
        allow_skip=allow_skip,
    )


def _log_preferences(generator: np.random.Generator, count: int) -> np.ndarray:
    """Logarithms of random probabilities `(count,)`, between one-sided and uniform."""
    concentration = np.exp(generator.uniform(*np.log(_CONCENTRATIONS)))
    preferences = generator.dirichlet(np.full(count, concentration))
    # A probability may underflow to 0; a logit must be finite.
    return np.log(np.maximum(preferences, np.finfo(np.float64).tiny))
