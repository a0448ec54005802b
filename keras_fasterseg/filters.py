"""Number of filters of nodes, by scale and width."""

import math


def round_filters(filters: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `filters`, at least `divisor`; halves round up.

    Raises:
        ValueError: `filters` is not a positive finite number.
    """
    if not (math.isfinite(filters) and filters > 0):
        raise ValueError(f"filters must be positive and finite. Received: filters={filters}")
    # Widths such as 10/12 are inexact in binary: the last bit must not decide how a half rounds.
    return max(divisor, math.floor(filters / divisor + 0.5 + 1e-9) * divisor)


def node_filters(scale: int, base_filters: int, width: float) -> int:
    """Number of filters of a node: `scale * base_filters * width`, rounded by `round_filters`.

    Args:
        scale: Downsampling rate of the node, 8, 16 or 32.
        base_filters: Filters per unit of scale.
        width: Width multiplier of the node, in (0, 1].
    """
    return round_filters(scale * base_filters * width)
