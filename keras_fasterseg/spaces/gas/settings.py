"""Settings of the GAS-style space."""

import dataclasses

from keras_fasterseg.setting import AT_LEAST_ONE, AT_LEAST_ZERO, Limits, require, setting
from keras_fasterseg.spaces.cells.limits import MOST_CELLS, MOST_FILTERS

ASPP, DENSE = "aspp", "dense"
MOST_REDUCTIONS = 4
"""Of the stem's output at 1/2: sides of images are multiples of 32."""


@dataclasses.dataclass(frozen=True)
class GasSettings:
    """Size of the GAS-style supernet, and constants of its search."""

    cells: int = setting(14, "Number of cells.", limits=Limits(at_least=1, at_most=MOST_CELLS))
    initial_filters: int = setting(
        8,
        "Filters of a node at 1/2 of the image size, even; they double with every reduction.",
        limits=Limits(at_least=2, at_most=MOST_FILTERS),
    )
    reductions: tuple[int, ...] = setting(
        (1, 4, 8),
        "Numbers of the cells, from 0, that halve the resolution, ascending; not specified in the "
        "paper.",
        limits=Limits(at_least=0, below=MOST_CELLS),
    )
    fusion: str = setting(
        ASPP,
        "What follows the cells: aspp (atrous spatial pyramid pooling) or dense (a searched cell "
        "that joins the last cells of three resolutions, LGCNet-style; needs three reductions).",
        limits=Limits(choices=(ASPP, DENSE)),
    )
    decoder_filters: int = setting(
        64,
        "Filters of the pyramid, or of a node of the fusion cell; not specified in the paper.",
        limits=Limits(at_least=1, at_most=MOST_FILTERS),
    )
    guidance: float = setting(
        0.5,
        "Weight g of the message that a cell gets from the one before while searching. 0: none.",
        limits=AT_LEAST_ZERO,
    )
    guidance_features: int = setting(
        64, "Features of an edge in the graph convolution of the guidance.", limits=AT_LEAST_ONE
    )

    def check(self, prefix: str = "") -> None:
        """Raises `ValueError` if the settings contradict one another; see `check_settings`."""
        shown = ",".join(map(str, self.reductions))
        require(
            self.initial_filters % 2 == 0,
            f"{prefix}initial_filters must be even. "
            f"Received: {prefix}initial_filters={self.initial_filters}",
        )
        require(
            list(self.reductions) == sorted(set(self.reductions))
            and all(index < self.cells for index in self.reductions),
            f"{prefix}reductions must be ascending and below {prefix}cells={self.cells}. "
            f"Received: {prefix}reductions={shown}",
        )
        require(
            1 <= len(self.reductions) <= MOST_REDUCTIONS,
            f"{prefix}reductions must have 1 to {MOST_REDUCTIONS} cells. "
            f"Received: {prefix}reductions={shown}",
        )
        require(
            self.fusion != DENSE or len(self.reductions) == 3,
            f"{prefix}fusion={DENSE} needs three {prefix}reductions. "
            f"Received: {prefix}reductions={shown}",
        )

    @property
    def of_operations(self) -> "GasSettings":
        """These settings with the defaults of all that change no operation."""
        return dataclasses.replace(self, guidance=0.5, guidance_features=64)
