"""A width as a tensor, with what several layers need of it."""

from typing import Any

from keras import ops

from keras_fasterseg.layers.batch_normalize import moving_average_shares
from keras_fasterseg.layers.slimmable_conv2d import select_row, width_mask


class OneHotWidth:
    """A one-hot width; what layers derive from it is computed once for all of them.

    Args:
        one_hot: `(widths,)`, or `(settings, widths)`. No gradient reaches it.
    """

    def __init__(self, one_hot: Any):
        # Half precision would round the statistics that it selects.
        self.one_hot = ops.stop_gradient(ops.cast(one_hot, "float32"))
        self._masks: dict[Any, Any] = {}
        self._shares: dict[float, tuple[Any, Any]] = {}

    @classmethod
    def of(cls, width: Any) -> "OneHotWidth":
        """`width`, a tensor or a `OneHotWidth` already."""
        return width if isinstance(width, cls) else cls(width)

    @property
    def has_settings(self) -> bool:
        """True if the batch holds several settings."""
        return len(self.one_hot.shape) == 2

    def select(self, rows: Any) -> Any:
        """The rows of `(widths, ...)`: `(...)`, or `(settings, ...)`."""
        return select_row(self.one_hot, rows)

    def mask(self, filters: int, width_multipliers: tuple[float, ...]) -> Any:
        """1 for active channels, 0 for the others: `(filters,)` or `(settings, filters)`."""
        key = filters, width_multipliers
        if key not in self._masks:
            self._masks[key] = self.select(width_mask(filters, width_multipliers))
        return self._masks[key]

    def shares(self, momentum: float) -> tuple[Any, Any]:
        """`moving_average_shares` of all settings."""
        if momentum not in self._shares:
            rows = self.one_hot if self.has_settings else self.one_hot[None]
            self._shares[momentum] = moving_average_shares(rows, momentum)
        return self._shares[momentum]
