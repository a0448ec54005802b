"""Width as a tensor, with derived tensors that several layers share."""

from typing import Any

from keras import ops

from keras_fasterseg.layers.batch_normalize import moving_average_shares
from keras_fasterseg.layers.slimmable_conv2d import select_row, width_mask


class OneHotWidth:
    """One-hot width that caches derived tensors, so that several layers share them.

    Args:
        one_hot: `(widths,)` or `(settings, widths)`. It gets no gradient.
    """

    def __init__(self, one_hot: Any):
        # Half precision would round the selected statistics.
        self.one_hot = ops.stop_gradient(ops.cast(one_hot, "float32"))
        self._masks: dict[Any, Any] = {}
        self._shares: dict[float, tuple[Any, Any]] = {}

    @classmethod
    def of(cls, width: Any) -> "OneHotWidth":
        """Converts a tensor to a `OneHotWidth`; returns a `OneHotWidth` unchanged."""
        return width if isinstance(width, cls) else cls(width)

    @property
    def has_settings(self) -> bool:
        """True if the batch contains several settings."""
        return len(self.one_hot.shape) == 2

    def select(self, rows: Any) -> Any:
        """Selects from rows `(widths, ...)`: `(...)` or `(settings, ...)`."""
        return select_row(self.one_hot, rows)

    def mask(self, filters: int, width_multipliers: tuple[float, ...]) -> Any:
        """Mask of active channels (1) and others (0): `(filters,)` or `(settings, filters)`."""
        key = filters, width_multipliers
        if key not in self._masks:
            self._masks[key] = self.select(width_mask(filters, width_multipliers))
        return self._masks[key]

    def shares(self, momentum: float) -> tuple[Any, Any]:
        """Cached `moving_average_shares` of all settings."""
        if momentum not in self._shares:
            rows = self.one_hot if self.has_settings else self.one_hot[None]
            self._shares[momentum] = moving_average_shares(rows, momentum)
        return self._shares[momentum]
