"""The most expensive network that a search can derive: an upper bound for training costs."""

import numpy as np

from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.derive import derive
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype

_MOST_EXPENSIVE = "conv_2x"


def largest_genotype(
    num_layers: int, base_filters: int, stem_head_width: float
) -> FasterSegGenotype:
    """Genotype with the most operations and activations in the search space.

    Every cell is `conv_2x` at full width. The branch to 1/16 stays at 1/8 as long as possible and
    the branch to 1/32 leaves it as early as possible, so they share as few cells as possible.

    Args:
        num_layers: Layers of the supernet, at least 4.
        base_filters: Filters per unit of scale.
        stem_head_width: Width multiplier of stem and heads, in (0, 1].

    Raises:
        ValueError: There are fewer than 4 layers, or a number is out of range.
    """
    if num_layers < 4:
        raise ValueError(f"At least 4 layers are needed. Received: num_layers={num_layers}")
    alpha = np.zeros(len(PRIMITIVES))
    alpha[PRIMITIVES.index(_MOST_EXPENSIVE)] = 1.0
    down_16, down_32 = np.zeros(num_layers - 2), np.zeros(num_layers - 3)
    # Both branches read their descent to 1/16 from `down_16`. The branch to 1/16 cannot use row 0;
    # the branch to 1/32 cannot use the last rows or, with 8 or more layers, row 0.
    if num_layers > 4:
        down_16[[1, num_layers - 4, 0]] = 1.0, 2.0, 3.0
    else:
        down_16[1] = 1.0
    down_32[num_layers - 5 if num_layers >= 8 else num_layers - 4] = 9.0
    return derive(
        [np.tile(alpha, (num_layers - index, 1)) for index in range(3)],
        [np.stack([down, np.zeros_like(down)], axis=-1) for down in (down_16, down_32)],
        [np.zeros((num_layers - 1 - index // 2, 1)) for index in range(3)],
        base_filters=base_filters,
        width_multipliers=(1.0,),
        stem_width=stem_head_width,
        head_width=stem_head_width,
    )
