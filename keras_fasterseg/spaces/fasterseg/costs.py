"""Rows of a latency table, arranged for a supernet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class LatencyCosts:
    """Latencies of a supernet's cells by operation and widths, in milliseconds.

    Scales are numbered 0, 1, 2 from the finest (1/8) to the coarsest (1/32). With `k` operations
    and `n` width multipliers in ascending order, entry `[o, i, w]` is the latency of operation `o`
    from a node of width `i` to a node of width `w`. Latencies of inner cells do not depend on the
    layer. The first layer reads the fixed width of the stem; the last layer writes the fixed width
    of the heads.

    Attributes:
        stem_ms: Latency of the stem, in milliseconds.
        keep: One array `(k, n, n)` per scale: stride 1, same scale.
        down: One array `(k, n, n)` for every scale except the last: stride 2, to the next scale.
        first_keep: `(k, n)`: stride 1 in the first layer, by output width.
        first_down: `(k, n)`: stride 2 in the first layer, by output width.
        last_keep: One array `(k, n)` per scale: stride 1 in the last layer, by input width.

    Raises:
        ValueError: The shapes do not agree, or a latency is negative or not finite.
    """

    stem_ms: float
    keep: Sequence[np.ndarray]
    down: Sequence[np.ndarray]
    first_keep: np.ndarray
    first_down: np.ndarray
    last_keep: Sequence[np.ndarray]

    def __post_init__(self) -> None:
        scales = len(self.keep)
        if scales < 2 or len(self.down) != scales - 1 or len(self.last_keep) != scales:
            raise ValueError(
                "Costs of s scales need s arrays `keep`, s - 1 arrays `down`, s arrays "
                f"`last_keep`, and s >= 2. Received: {scales}, {len(self.down)}, "
                f"{len(self.last_keep)}"
            )
        by_width = np.shape(self.first_keep)
        if len(by_width) != 2:
            raise ValueError(
                "`first_keep` must have shape (operations, widths). "
                f"Received: first_keep.shape={by_width}"
            )
        by_both_widths = (*by_width, by_width[-1])
        _check("stem_ms", self.stem_ms, ())
        _check("first_keep", self.first_keep, by_width)
        _check("first_down", self.first_down, by_width)
        for scale, array in enumerate(self.last_keep):
            _check(f"last_keep[{scale}]", array, by_width)
        for scale, array in enumerate(self.keep):
            _check(f"keep[{scale}]", array, by_both_widths)
        for scale, array in enumerate(self.down):
            _check(f"down[{scale}]", array, by_both_widths)

    @property
    def num_scales(self) -> int:
        """Number of scales of the supernet."""
        return len(self.keep)

    @property
    def num_operations(self) -> int:
        """Number of operations in a cell."""
        return self.first_keep.shape[0]

    @property
    def num_widths(self) -> int:
        """Number of width multipliers."""
        return self.first_keep.shape[1]


def _check(name: str, value: float | np.ndarray, shape: tuple[int, ...]) -> None:
    if np.shape(value) != shape:
        raise ValueError(
            f"`{name}` must have shape {shape} to agree with `first_keep`. "
            f"Received: {name}.shape={np.shape(value)}"
        )
    if not np.all(np.isfinite(value)) or np.any(np.less(value, 0)):
        raise ValueError(f"`{name}` must hold finite latencies of at least 0 ms. Received: {value}")
