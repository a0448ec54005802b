"""Settings of the AutoRTNet-style space."""

import dataclasses

from keras_fasterseg.setting import AT_LEAST_ONE, AT_LEAST_ZERO, Limits, require, setting
from keras_fasterseg.spaces.cells.limits import MOST_CELLS, MOST_FILTERS


@dataclasses.dataclass(frozen=True)
class AutoRTNetSettings:
    """Size of the AutoRTNet-style supernet, and constants of its search.

    None of these constants is specified in the paper; all are our choices.
    """

    cells: int = setting(
        12, "Number of hyper-cells.", limits=Limits(at_least=1, at_most=MOST_CELLS)
    )
    initial_filters: int = setting(
        8,
        "Filters of a node at 1/2 of the image size, even; they double with every reduction.",
        limits=Limits(at_least=2, at_most=MOST_FILTERS),
    )
    decoder_filters: int = setting(
        64,
        "Filters of a node of the aggregation cell.",
        limits=Limits(at_least=1, at_most=MOST_FILTERS),
    )
    pruning_warmup: int = setting(
        10, "Epochs before the first state is removed.", limits=AT_LEAST_ZERO
    )
    pruning_interval: int = setting(5, "Epochs between two removals.", limits=AT_LEAST_ONE)
    pruning_ratio: float = setting(
        0.1,
        "Largest probability of a state that is removed, as a share of its hyper-cell's likeliest.",
        limits=Limits(at_least=0, at_most=1),
    )

    def check(self, prefix: str = "") -> None:
        """Raises `ValueError` if the settings contradict one another; see `check_settings`."""
        require(
            self.initial_filters % 2 == 0,
            f"{prefix}initial_filters must be even. "
            f"Received: {prefix}initial_filters={self.initial_filters}",
        )

    @property
    def of_operations(self) -> "AutoRTNetSettings":
        """These settings with the defaults of all that change no operation."""
        return dataclasses.replace(self, pruning_warmup=10, pruning_interval=5, pruning_ratio=0.1)
