"""Checks values of a YAML file; each error names the key, the received and the expected value."""

import pathlib
import reprlib
from collections.abc import Collection
from typing import Any

import yaml

RGB = tuple[int, int, int]
Fields = dict[str, Any]
_LONGEST_VALUE = 200
_LONGEST_INTEGER = 64


def read_yaml(path: pathlib.Path) -> Any:
    """The value in the YAML file at `path`.

    Raises:
        ValueError: The file is not valid YAML, or a mapping in it has a key twice.
        OSError: The file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            # Derived from SafeLoader, so it makes plain values only.
            return yaml.load(file, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"the file is not valid YAML: {_problem(error)}") from error
    except RecursionError as error:
        raise ValueError("the YAML cannot be read: it is nested too deeply") from error


def wrong(place: str, expected: str, received: Any) -> ValueError:
    """Returns an error with what `place` must be and what was received, shortened if long."""
    shown = reprlib.repr(received)
    if len(shown) > _LONGEST_VALUE:
        # A few lines of YAML aliases can expand to more than memory holds.
        shown = f"{shown[:_LONGEST_VALUE]}..."
    return ValueError(f"{place} must be {expected}. Received: {shown}")


def fields(place: str, value: Any, known: Collection[str]) -> Fields:
    """Returns `value`, a mapping whose keys are all in `known`."""
    if not isinstance(value, dict):
        raise wrong(place, f"a mapping with keys among {', '.join(known)}", value)
    for key in value:
        if key not in known:
            raise ValueError(
                f"{place} has the unknown key {reprlib.repr(key)}; use {', '.join(known)}."
            )
    return value


def text(place: str, value: Any) -> str:
    """Returns `value`, one line of text. YAML reads a bare `no`, `1` or `12:30` as other types."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise wrong(place, "one line of text (quote it if YAML reads it as another type)", value)
    return value


def ids(place: str, value: Any) -> tuple[int, ...]:
    """Returns the 8-bit ids in `value`, an id or a list of ids."""
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(_is_byte(each) for each in listed):
        raise wrong(place, "a whole number from 0 to 255 or a list of them", value)
    return tuple(listed)


def colors(place: str, value: Any) -> tuple[RGB, ...]:
    """Returns the RGB colours in `value`, a colour or a list of colours."""
    one = isinstance(value, list) and not any(isinstance(each, list) for each in value)
    listed = [value] if one else value
    if not isinstance(listed, list) or not listed or not all(map(_is_color, listed)):
        raise wrong(
            place,
            "three whole numbers from 0 to 255, such as [128, 64, 0], or a list of such colours",
            value,
        )
    return tuple((red, green, blue) for red, green, blue in listed)


def color(place: str, value: Any) -> RGB:
    """Returns `value`, an RGB colour."""
    if not _is_color(value):
        raise wrong(place, "three whole numbers from 0 to 255, such as [128, 64, 0]", value)
    red, green, blue = value
    return red, green, blue


def channels(place: str, value: Any) -> tuple[float, ...]:
    """Returns `value`, three numbers in [0, 1] for red, green and blue."""
    if not isinstance(value, list | tuple) or len(value) != 3 or not all(map(_is_share, value)):
        raise wrong(place, "three numbers from 0 to 1 (divide values for bytes by 255)", value)
    return tuple(float(each) for each in value)


class _Loader(yaml.SafeLoader):
    """Rejects repeated keys and huge integers; PyYAML itself silently keeps the last equal key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        seen: set[str] = set()
        for key in keys:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} occurs twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int:
        """Rejects long integers: Python neither reads nor prints thousands of digits."""
        if len(node.value) > _LONGEST_INTEGER:
            raise yaml.MarkedYAMLError(
                problem=f"an integer of {len(node.value)} digits", problem_mark=node.start_mark
            )
        return self.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"{getattr(error, 'problem', error)}, in line {mark.line + 1}, column {mark.column + 1}"


def _is_byte(value: Any) -> bool:
    # In Python, True is an int too.
    return type(value) is int and 0 <= value <= 255


def _is_color(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_byte, value))


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
