"""Fields of settings: their defaults, descriptions and limits."""

import dataclasses
from typing import Any

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a value; of a sequence, such as a size, each of its items.

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
        """True if `value` is within all of them; `None`, an unset value, is."""
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
LEAST_TRAINED_SIDE = 64
TRAINED_SIZE = Limits(at_least=LEAST_TRAINED_SIDE, multiple_of=32)
IMAGE_SIZE = Limits(at_least=32)


def setting(
    default: Any,
    description: str,
    harmless: bool = False,
    limits: Limits | None = None,
    path: bool = False,
) -> Any:
    """A dataclass field with its default and the sentence that a flag's help shows.

    A harmless one changes no result; it may differ when a run is resumed. So may a path: what it
    leads to is compared by content. `check_settings` refuses what `limits` do not allow.
    """
    metadata = {
        "description": description,
        "harmless": harmless,
        "limits": limits,
        "path": path,
    }
    return dataclasses.field(default=default, metadata=metadata)


def is_harmless(field: dataclasses.Field) -> bool:
    """True if a field's value changes no result."""
    return field.metadata.get("harmless", False)


def is_path(field: dataclasses.Field) -> bool:
    """True if a field's value is the path of something that is read."""
    return field.metadata.get("path", False)


def require(condition: bool, message: str) -> None:
    """Raises `ValueError(message)` unless `condition` holds."""
    if not condition:
        raise ValueError(message)


def check_settings(settings: Any, prefix: str = "") -> None:
    """Raises `ValueError` if a value of a settings dataclass is out of its limits.

    Args:
        settings: The dataclass; its fields are made by `setting`.
        prefix: Put before a field's name in the message, as in `--pretrain_`.
    """
    for field in dataclasses.fields(settings):
        limits, value = field.metadata.get("limits"), getattr(settings, field.name)
        if limits is not None and not limits.allow(value):
            name, shown = prefix + field.name, _shown(value)
            subject = name if shown is value else f"Each side of {name}"
            raise ValueError(f"{subject} must be {limits}. Received: {name}={shown}")
    further = getattr(settings, "check", None)
    if further is not None:
        further(prefix)


def _shown(value: Any) -> Any:
    """A size, or several of them, as a flag spells it; anything else as it is."""
    if isinstance(value, tuple) and value and all(isinstance(each, tuple) for each in value):
        return ",".join(map(_shown, value))
    is_size = isinstance(value, tuple) and len(value) == 2 and all(type(i) is int for i in value)
    return "x".join(map(str, value)) if is_size else value
