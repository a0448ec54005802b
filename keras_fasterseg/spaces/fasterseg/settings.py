"""Settings of the FasterSeg space."""

import dataclasses

from keras_fasterseg.setting import POSITIVE, Limits, require, setting
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

WIDTH_MULTIPLIERS = (4 / 12, 6 / 12, 8 / 12, 10 / 12, 1.0)

# Larger than any network that is trained: a file must not exhaust the memory.
MAXIMUM_BASE_FILTERS = 1024
MAXIMUM_LAYERS = 1024


@dataclasses.dataclass(frozen=True)
class FasterSegSettings:
    """Size of the FasterSeg supernet."""

    num_layers: int = setting(
        16,
        "Number of layers of the supernet, at least 4.",
        limits=Limits(at_least=4, at_most=MAXIMUM_LAYERS),
    )
    base_filters: int = setting(
        12,
        "Base number of filters F: a node at scale 1/s has s * F filters at full width.",
        limits=Limits(at_least=1, at_most=MAXIMUM_BASE_FILTERS),
    )
    width_multipliers: tuple[float, ...] = setting(
        WIDTH_MULTIPLIERS,
        "Width multipliers that a node chooses from, ascending; the last must be 1.",
        limits=POSITIVE,
    )
    student_width: float = setting(
        8 / 12, "Width multiplier of the student's stem and heads.", limits=POSITIVE
    )

    def check(self, prefix: str = "") -> None:
        """Raises `ValueError` if the widths contradict one another; see `check_settings`."""
        widths = self.width_multipliers
        shown = ",".join(map(str, widths))
        require(
            list(widths) == sorted(set(widths)) and widths[-1] == 1,
            f"{prefix}width_multipliers must be ascending and end with 1. "
            f"Received: {prefix}width_multipliers={shown}",
        )
        require(
            self.student_width in widths,
            f"{prefix}student_width must be one of {prefix}width_multipliers={shown}; write it as "
            f"the same fraction, such as 8/12. Received: "
            f"{prefix}student_width={self.student_width}",
        )

    @property
    def stem_head_widths(self) -> dict[str, float]:
        """Width multipliers of stem and heads, by role: the teacher's is the widest."""
        return {TEACHER: 1.0, STUDENT: self.student_width}
