"""Settings of the FasterSeg space."""

import dataclasses

from keras_fasterseg.setting import POSITIVE, Limits, require, setting
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

WIDTH_MULTIPLIERS = (4 / 12, 6 / 12, 8 / 12, 10 / 12, 1.0)

# Beyond the largest networks that anyone trains: a file may not ask for more than memory has.
MAXIMUM_BASE_FILTERS = 1024
MAXIMUM_LAYERS = 1024


@dataclasses.dataclass(frozen=True)
class FasterSegSettings:
    """Which supernet."""

    num_layers: int = setting(
        16, "Layers of the supernet, at least 4.", limits=Limits(at_least=4, at_most=MAXIMUM_LAYERS)
    )
    base_filters: int = setting(
        12,
        "Base filters F: a node at scale s has s * F filters.",
        limits=Limits(at_least=1, at_most=MAXIMUM_BASE_FILTERS),
    )
    width_multipliers: tuple[float, ...] = setting(
        WIDTH_MULTIPLIERS, "Widths a node chooses from, ascending; the last is 1.", limits=POSITIVE
    )
    student_width: float = setting(
        8 / 12, "Width multiplier of the student's stem and heads.", limits=POSITIVE
    )

    def check(self, prefix: str = "") -> None:
        """Raises `ValueError` if the widths do not fit together; see `check_settings`."""
        widths = self.width_multipliers
        shown = ",".join(map(str, widths))
        require(
            list(widths) == sorted(set(widths)) and widths[-1] == 1,
            f"{prefix}width_multipliers must rise and end with 1. "
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
