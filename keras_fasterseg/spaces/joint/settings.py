"""Settings of the joint space."""

import dataclasses

from keras_fasterseg.setting import (
    AT_LEAST_ONE,
    AT_LEAST_ZERO,
    POSITIVE,
    SHARE,
    Limits,
    require,
    setting,
)

DILATIONS = (1, 2, 4, 8, 16)
EARLY_DROPOUT, LATE_DROPOUT = 0.03, 0.3
LARGEST_FILTERS = 4096
LARGEST_DEPTH = 256
LARGEST_DILATION = 64

_FILTERS = Limits(at_least=4, at_most=LARGEST_FILTERS)
_DEPTH = Limits(at_least=1, at_most=LARGEST_DEPTH)
_DILATION = Limits(at_least=1, at_most=LARGEST_DILATION)


@dataclasses.dataclass(frozen=True)
class JointSettings:
    """Size of the joint supernet, and constants of its search (the paper's)."""

    early_blocks: int = setting(
        8, "Largest number of blocks at 1/4 of the image size.", limits=_DEPTH
    )
    late_blocks: int = setting(
        12, "Largest number of blocks at 1/8 of the image size.", limits=_DEPTH
    )
    choose_depth: bool = setting(
        True, "Search the number of blocks too. False: always the largest number."
    )
    stem_filters: int = setting(16, "Filters at 1/2 of the image size.", limits=_FILTERS)
    early_filters: int = setting(
        64, "Largest number of filters at 1/4 of the image size.", limits=_FILTERS
    )
    late_filters: int = setting(
        128, "Largest number of filters at 1/8 of the image size.", limits=_FILTERS
    )
    filter_choices: int = setting(
        9,
        "Number of widths that a convolution chooses from: the largest, and smaller ones in steps "
        "of filter_step.",
        limits=Limits(at_least=1, at_most=LARGEST_FILTERS),
    )
    filter_step: int = setting(4, "Difference between two widths.", limits=AT_LEAST_ONE)
    dilations: tuple[int, ...] = setting(
        DILATIONS,
        "Dilations that a block chooses from, ascending.",
        limits=_DILATION,
    )
    early_dropout: float = setting(
        EARLY_DROPOUT,
        "Dropout rate of the supernet's blocks at 1/4 of the image size.",
        limits=SHARE,
    )
    late_dropout: float = setting(
        LATE_DROPOUT,
        "Dropout rate of the supernet's blocks at 1/8 of the image size.",
        limits=SHARE,
    )
    cross_entropy_weight: float = setting(
        100.0, "Weight of the cross-entropy in the loss of the architecture.", limits=POSITIVE
    )
    operation_regularization: float = setting(
        30.0,
        "Weight of the solution space regularization (SSR) of dilations and pooling. 0: none.",
        limits=AT_LEAST_ZERO,
    )
    width_regularization: float = setting(
        15.0,
        "Weight of the solution space regularization of the widths, for the first and the second "
        "convolutions each. 0: none.",
        limits=AT_LEAST_ZERO,
    )
    depth_regularization: float = setting(
        30.0,
        "Weight of the solution space regularization of the number of blocks; not specified in "
        "the paper. 0: none.",
        limits=AT_LEAST_ZERO,
    )
    shrinking_ratio: float = setting(
        0.1,
        "After every epoch, choices at or below this share of the most likely choice are removed.",
        limits=SHARE,
    )
    cost: str = setting(
        "latency",
        "Cost in the loss: latency (of this device, from the latency table, relative to the middle "
        "of the band) or flops (the paper's term).",
        limits=Limits(choices=("latency", "flops")),
    )
    flops_share: float = setting(
        0.6, "With cost=flops: target, as a share of flops_full.", limits=POSITIVE
    )
    flops_full: float = setting(
        11.16,
        "With cost=flops: billions of operations, at 512x1024, that count as a share of 1.",
        limits=POSITIVE,
    )

    def check(self, prefix: str = "") -> None:
        """Raises `ValueError` if the settings contradict one another; see `check_settings`."""
        shown = ",".join(map(str, self.dilations))
        require(
            len(self.dilations) > 0 and list(self.dilations) == sorted(set(self.dilations)),
            f"{prefix}dilations must be ascending. Received: {prefix}dilations={shown}",
        )
        filters = [self.stem_filters, self.early_filters, self.late_filters]
        require(
            filters[0] < filters[1] < filters[2],
            f"{prefix}stem_filters, {prefix}early_filters and {prefix}late_filters must be "
            f"ascending. Received: {', '.join(map(str, filters))}",
        )
        for name in ("early_filters", "late_filters"):
            smallest = getattr(self, name) - self.filter_step * (self.filter_choices - 1)
            require(
                smallest >= 1,
                f"The smallest of {prefix}filter_choices={self.filter_choices} widths would be "
                f"{smallest}; lower {prefix}filter_choices or {prefix}filter_step, or raise "
                f"{prefix}{name}={getattr(self, name)}.",
            )

    @property
    def of_operations(self) -> "JointSettings":
        """These settings with the defaults of all that change no operation."""
        kept = (
            *("stem_filters", "early_filters", "late_filters"),
            *("filter_choices", "filter_step", "dilations"),
        )
        return JointSettings(**{name: getattr(self, name) for name in kept})

    def widths(self, filters: int) -> tuple[int, ...]:
        """Possible widths of a convolution with at most `filters` filters, the largest first."""
        return tuple(filters - self.filter_step * i for i in range(self.filter_choices))
