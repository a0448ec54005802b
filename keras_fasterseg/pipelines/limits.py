"""Which values a setting may have, and the sentence for one that it may not."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a value must keep to; of a sequence, such as a size, each of its items.

    Attributes:
        at_least: The least value.
        at_most: The largest value.
        above: What every value lies above.
        below: What every value lies below.
        multiple_of: What every value is a multiple of.
        choices: The values that there are.
    """

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    multiple_of: int | None = None
    choices: tuple[str, ...] | None = None

    def allow(self, value: Any) -> bool:
        """Whether `value` keeps to all of them; `None`, an unset value, does."""
        if value is None:
            return True
        if isinstance(value, tuple | list):
            return all(self.allow(item) for item in value)
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.multiple_of is None or value % self.multiple_of == 0)
            and (self.choices is None or value in self.choices)
        )

    def __str__(self) -> str:
        """As in `at least 0 and below 1`."""
        parts = [
            f"{words} {limit}"
            for words, limit in (
                ("at least", self.at_least),
                ("at most", self.at_most),
                ("above", self.above),
                ("below", self.below),
                ("among the multiples of", self.multiple_of),
            )
            if limit is not None
        ]
        if self.choices is not None:
            parts.append(f"one of {', '.join(self.choices)}")
        return " and ".join(parts)


AT_LEAST_ZERO = Limits(at_least=0)
AT_LEAST_ONE = Limits(at_least=1)
POSITIVE = Limits(above=0)
SHARE = Limits(at_least=0, below=1)
# At 1/32 a zoomed convolution halves the map once more: 32 pixels would leave nothing.
TRAINED_SIZE = Limits(at_least=64, multiple_of=32)
IMAGE_SIZE = Limits(at_least=32)
