"""Networks that a search could derive, drawn at random or from genes."""

from collections.abc import Sequence

import numpy as np

from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.base import Genes, log_preferences
from keras_fasterseg.spaces.fasterseg.choices import width_shapes
from keras_fasterseg.spaces.fasterseg.derive import derive
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype

BRANCH_PAIRS = ((32, 8), (32, 16))
_LEVELS = 4


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
    primitives = log_preferences(generator, len(PRIMITIVES))
    widths = log_preferences(generator, num_widths)
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


def genes(num_layers: int, num_widths: int) -> dict[str, tuple[int, ...]]:
    """Options of the primitives (alpha), of the descents (beta), widths (gamma) and branches."""
    return {
        "alpha": (len(PRIMITIVES),) * sum(num_layers - index for index in range(3)),
        "beta": (_LEVELS,) * sum(num_layers - index for index in (2, 3)),
        "gamma": (num_widths,) * sum(width_shapes(num_layers)),
        "branches": (len(BRANCH_PAIRS),),
    }


def genotype_of_genes(
    genes: Genes,
    *,
    base_filters: int,
    width_multipliers: Sequence[float],
    stem_head_width: float,
    num_layers: int,
) -> FasterSegGenotype:
    """Derives the network of some genes; arguments as in `random_genotype`.

    The gene of a node is the level of the logit of its input from the finer scale: paths descend
    where levels are highest.
    """
    options = len(PRIMITIVES), len(width_multipliers)
    alphas, gammas = (
        [np.eye(count)[rows] for rows in _divided(genes[family], shapes)]
        for family, count, shapes in zip(
            ("alpha", "gamma"),
            options,
            ([num_layers - index for index in range(3)], width_shapes(num_layers)),
            strict=True,
        )
    )
    levels = _divided(genes["beta"], [num_layers - index for index in (2, 3)])
    return derive(
        alphas,
        [np.stack([rows, np.zeros_like(rows)], axis=-1) for rows in levels],
        gammas,
        base_filters=base_filters,
        width_multipliers=width_multipliers,
        stem_width=stem_head_width,
        head_width=stem_head_width,
        branch_scales=BRANCH_PAIRS[genes["branches"][0]],
    )


def _divided(values: Sequence[int], sizes: Sequence[int]) -> list[np.ndarray]:
    return np.split(np.asarray(values), np.cumsum(sizes)[:-1])
