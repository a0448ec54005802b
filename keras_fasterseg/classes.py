"""The classes that a data set labels and a network tells apart."""

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
        names: A name for every class.
        colors: An RGB colour for every class, each channel 0 to 255; empty where none are known.
        ignored: Values of label files that belong to no class, ids such as "255" or colours such
            as "(0, 0, 0)". A record: label files of another encoding have others.

    Raises:
        ValueError: There are no names or more than 255, one occurs twice, or there are more or
            fewer colours than names.
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
                "Classes must have a colour each or none at all. "
                f"Received: {len(self.colors)} colours for {len(self.names)} names"
            )

    def to_json(self) -> dict[str, Any]:
        """The fields as values fit for JSON."""
        return {
            "names": list(self.names),
            "colors": [list(color) for color in self.colors],
            "ignored": list(self.ignored),
        }

    @classmethod
    def from_json(cls, value: Any) -> "Classes":
        """The classes that `to_json` gave; other keys are left out.

        Raises:
            ValueError: `value` is something else.
        """
        if not isinstance(value, Mapping):
            raise ValueError(f"`classes` must be a JSON object. Received: {value!r}")
        names, colors, ignored = (value.get(key, []) for key in ("names", "colors", "ignored"))
        if not (_are_texts(names) and _are_texts(ignored) and _are_colors(colors)):
            raise ValueError(
                "`classes` must have `names` and `ignored`, lists of texts, and `colors`, a list "
                "of red, green and blue from 0 to 255."
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
        names: Names of the network's classes; `None` if they are not known.
        count: Number of the network's classes; `None` if it is not known.
        whose: The network, for the message.
        expected: Names of the data set's classes.
        data: The data set, for the message.
    """
    names = None if names is None else tuple(names)
    expected = tuple(expected)
    if names == expected or (names is None and count in (None, len(expected))):
        return
    known = f"{count} classes" if names is None else f"{len(names)} classes ({', '.join(names)})"
    received = f"the data set {data} has {len(expected)} ({', '.join(expected)})"
    if names is None or len(names) != len(expected):
        raise ValueError(
            f"{whose} has {known}, but {received}; name the data set that it was trained on."
        )
    if set(names) == set(expected):
        raise ValueError(
            f"{whose} has {known}, but {received}: the same names in another order. To read the "
            f"data set in the network's order, set --class_order={_order(names)}"
        )
    raise ValueError(
        f"{whose} has {known}, but {received}: other names. Name the data set that it was trained "
        "on. If the names mean the same, list the data set's classes in the network's order with "
        "--class_order; write NEW=OLD where the network calls the class OLD of the data set NEW."
    )


def _order(names: Sequence[str]) -> str:
    """The value of `--class_order`, as a shell takes it."""
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
