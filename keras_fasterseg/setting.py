"""Fields of settings: their defaults, descriptions and limits."""

import dataclasses
from typing import Any

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a value. For a sequence, such as a size, they apply to each item.

    Attributes:
        at_least: Smallest value allowed.
        at_most: Largest value allowed.
        above: Exclusive lower bound.
        below: Exclusive upper bound.
        multiple_of: Number that must divide the value.
        choices: The only values allowed.
    """

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    multiple_of: int | None = None
    choices: tuple[str, ...] | None = None

    def allow(self, value: Any) -> bool:
        """True if `value` is within all limits. `None`, an unset value, always is."""
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
        """The limits in words, such as `at least 0 and below 1`."""
        parts = [
            f"{words} {limit}"
            for words, limit in (
                ("at least", self.at_least),
                ("at most", self.at_most),
                ("above", self.above),
                ("below", self.below),
                ("a multiple of", self.multiple_of),
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
# At scale 1/32 a zoomed convolution halves the map again: 32 pixels would leave nothing.
LEAST_TRAINED_SIDE = 64
TRAINED_SIZE = Limits(at_least=LEAST_TRAINED_SIDE, multiple_of=32)
IMAGE_SIZE = Limits(at_least=32)


def setting(
    default: Any,
    description: str,
    harmless: bool = False,
    limits: Limits | None = None,
    path: bool = False,
    added: bool = False,
) -> Any:
    """Returns a dataclass field with a default and a description, which is the flag's help.

    Args:
        default: Value of the field if it is not set.
        description: Help of the flag.
        harmless: True if the field changes no result. It may then differ when a run is resumed.
        limits: Values allowed; `check_settings` refuses all others.
        path: True for the path of a file or folder that is read. It may differ when a run is
            resumed, because its content is compared instead.
        added: True for a field newer than existing runs, whose default keeps their results. It is
            not recorded while it has this default, so these runs resume.
    """
    metadata = {
        "description": description,
        "harmless": harmless,
        "limits": limits,
        "path": path,
        "added": added,
    }
    return dataclasses.field(default=default, metadata=metadata)


def is_recorded(field: dataclasses.Field, value: Any) -> bool:
    """True if the record of a run includes a field with this value; see `setting`."""
    options = field.metadata
    if options.get("harmless") or options.get("path"):
        return False
    return not options.get("added") or value != field.default


def require(condition: bool, message: str) -> None:
    """Raises `ValueError(message)` unless `condition` holds."""
    if not condition:
        raise ValueError(message)


def check_settings(settings: Any, prefix: str = "") -> None:
    """Raises `ValueError` if a value of a settings dataclass is outside its limits.

    Args:
        settings: The dataclass; its fields are made by `setting`.
        prefix: Put before a field's name in the message, as in `--pretrain_`.
    """
    for field in dataclasses.fields(settings):
        limits, value = field.metadata.get("limits"), getattr(settings, field.name)
        if limits is not None and not limits.allow(value):
            name, is_list = prefix + field.name, field.type == tuple[int, ...]
            shown = ",".join(map(str, value)) if is_list else _shown(value)
            part = "number" if is_list else "side"
            subject = name if shown is value else f"Each {part} of {name}"
            raise ValueError(f"{subject} must be {limits}. Received: {name}={shown}")
    further = getattr(settings, "check", None)
    if further is not None:
        further(prefix)


def _shown(value: Any) -> Any:
    """Formats a size, or several, as a flag does; returns anything else unchanged."""
    if isinstance(value, tuple) and value and all(isinstance(each, tuple) for each in value):
        return ",".join(map(_shown, value))
    is_size = isinstance(value, tuple) and len(value) == 2 and all(type(i) is int for i in value)
    return "x".join(map(str, value)) if is_size else value
