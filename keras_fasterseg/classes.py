"""The classes of a data set or a network."""

import csv
import dataclasses
import io
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

RGB = tuple[int, int, int]

_MAXIMUM = 255


@dataclasses.dataclass(frozen=True)
class Classes:
    """Names and colours of classes, in the order of the logits.

    Attributes:
        names: One name per class.
        colors: One RGB colour per class, each channel 0 to 255; empty if none are known.
        ignored: Values in label files that belong to no class: ids such as "255" or colours such
            as "(0, 0, 0)". For information only: label files with another encoding have others.

    Raises:
        ValueError: There are no names or more than 255, a name occurs twice, or the number of
            colours differs from the number of names.
    """

    names: tuple[str, ...]
    colors: tuple[RGB, ...] = ()
    ignored: tuple[str, ...] = ()

    def __post_init__(self):
        if not 1 <= len(self.names) <= _MAXIMUM or len(set(self.names)) < len(self.names):
            raise ValueError(
                f"Classes must have 1 to {_MAXIMUM} different names. Received: {list(self.names)}"
            )
        if self.colors and len(self.colors) != len(self.names):
            raise ValueError(
                "Give a colour for every class or for none. "
                f"Received: {len(self.colors)} colours for {len(self.names)} names"
            )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "names": list(self.names),
            "colors": [list(color) for color in self.colors],
            "ignored": list(self.ignored),
        }

    @classmethod
    def from_json(cls, value: Any) -> "Classes":
        """The classes in the output of `to_json`; other keys are ignored.

        Raises:
            ValueError: `value` is not such an output.
        """
        if not isinstance(value, Mapping):
            raise ValueError(f"`classes` must be a JSON object. Received: {value!r}")
        names, colors, ignored = (value.get(key, []) for key in ("names", "colors", "ignored"))
        if not (_are_texts(names) and _are_texts(ignored) and _are_colors(colors)):
            raise ValueError(
                "`classes` must have `names` and `ignored`, lists of strings, and `colors`, a list "
                "of [red, green, blue] from 0 to 255."
            )
        return cls(tuple(names), tuple(tuple(color) for color in colors), tuple(ignored))


def recorded_names(metadata: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The class names in an artefact's manifest; `None` if it has none."""
    names = metadata.get("class_names")
    return tuple(names) if isinstance(names, list) and _are_texts(names) else None


def check_same_classes(
    names: Sequence[str] | None, count: int | None, whose: str, expected: Sequence[str], data: str
) -> None:
    """Raises `ValueError` unless a network has the classes of a data set, in the same order.

    Args:
        names: Names of the network's classes; `None` if unknown.
        count: Number of the network's classes; `None` if unknown.
        whose: Name of the network in the error message.
        expected: Names of the data set's classes.
        data: Name of the data set in the error message.
    """
    names = None if names is None else tuple(names)
    expected = tuple(expected)
    if names == expected or (names is None and count in (None, len(expected))):
        return
    known = f"{count} classes" if names is None else f"{len(names)} classes ({', '.join(names)})"
    received = f"the data set {data} has {len(expected)} ({', '.join(expected)})"
    if names is None or len(names) != len(expected):
        raise ValueError(
            f"{whose} has {known}, but {received}; use the data set that it was trained on."
        )
    if set(names) == set(expected):
        raise ValueError(
            f"{whose} has {known}, but {received}: the same names in another order. To read the "
            f"data set in the network's order, set --class_order={_order(names)}"
        )
    raise ValueError(
        f"{whose} has {known}, but {received}: other names. Use the data set that it was trained "
        "on. If the names mean the same, list the data set's classes in the network's order with "
        "--class_order, and write NEW=OLD to rename a class: NEW is the network's name, OLD the "
        "data set's."
    )


def _order(names: Sequence[str]) -> str:
    """The value of `--class_order`, quoted for a shell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return shlex.quote(text.getvalue())


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def _are_colors(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(color, list | tuple)
        and len(color) == 3
        and all(type(channel) is int and 0 <= channel <= 255 for channel in color)
        for color in value
    )
