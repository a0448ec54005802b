"""Base class of genotypes: derived networks as pure data, stored as JSON."""

import abc
import dataclasses
import hashlib
import json
import numbers
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from keras_fasterseg.files import PathLike, read_json, shown, write_json


@dataclasses.dataclass(frozen=True)
class Genotype(abc.ABC):
    """Complete description of one network of a search space.

    Each search space subclasses this as a frozen dataclass. Its fields follow `space`, and its
    `__post_init__` rejects invalid networks. Override `_content` and `_from_content` for fields
    that JSON cannot store directly.

    Attributes:
        space: Name of the network's search space.
    """

    schema_version: ClassVar[int] = 1

    space: str

    @property
    def id(self) -> str:
        """Hash of the content: 12 hex digits, equal for equal genotypes on every machine."""
        content = self._head() | self._content()
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Returns the genotype as a JSON object with schema version, space and id."""
        return self._head() | {"id": self.id} | self._content()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Returns the genotype from a JSON object that `to_json` made.

        Raises:
            ValueError: The schema version is unknown, a key is missing or unknown, a value is out
                of range, or the stored id does not match the content.
        """
        if isinstance(value, dict) and value.get("schema_version", 1) != cls.schema_version:
            raise ValueError(
                f"The genotype has schema_version {shown(value['schema_version'])}, but this "
                f"version of keras_fasterseg reads {cls.schema_version}. Use the version that "
                "wrote the genotype."
            )
        head = ("schema_version", "space", "id")
        check_keys(value, head, "the genotype", others=True)
        content = {key: item for key, item in value.items() if key not in head}
        genotype = cls._from_content(value["space"], content)
        if value["id"] != genotype.id:
            raise ValueError(
                f"The stored id {shown(value['id'])} does not match the content. Restore the "
                f"content, or, if the edit is intended, set the id to {genotype.id!r}."
            )
        return genotype

    def summary(self) -> dict[str, Any]:
        """Short facts for descriptions, as JSON values. Default: none."""
        return {}

    def save(self, path: PathLike) -> None:
        """Writes the genotype to `path` as JSON, atomically: the file is never partial."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads the genotype from the JSON file at `path`.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: The file is not JSON or not a valid genotype; the message names it.
        """
        value = read_json(path)
        try:
            return cls.from_json(value)
        except ValueError as error:
            raise ValueError(f"{path} is not a valid genotype: {error}") from error

    def _head(self) -> dict[str, Any]:
        return {"schema_version": self.schema_version, "space": self.space}

    def _content(self) -> dict[str, Any]:
        """The fields after `space`, as JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name != "space"
        }

    @classmethod
    def _from_content(cls, space: str, content: dict[str, Any]) -> Self:
        """The inverse of `_content`; converts JSON's lists back to tuples."""
        names = [field.name for field in dataclasses.fields(cls) if field.name != "space"]
        check_keys(content, names, "the genotype")
        return cls(
            space,
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in content.items()
            },
        )


def check_keys(value: Any, expected: Sequence[str], where: str, others: bool = False) -> None:
    """Raises `ValueError` unless `value` is a JSON object with the keys `expected`.

    Args:
        value: The JSON value to check.
        expected: The required keys.
        where: Name of `value` in the message.
        others: Whether additional keys are allowed.
    """
    if not isinstance(value, dict):
        raise ValueError(f"Expected {where} to be a JSON object. Received: {shown(value)}")
    for key in expected:
        if key not in value:
            raise ValueError(f"The key {key!r} is missing in {where}; add it.")
    for key in value:
        if key not in expected and not others:
            raise ValueError(
                f"The key {shown(key)} in {where} is unknown; expected {list(expected)}."
            )


def check_list(value: Any, where: str) -> list[Any]:
    """Returns `value` if it is a JSON list, else raises a `ValueError` that names `where`."""
    if not isinstance(value, list):
        raise ValueError(f"Expected {where} to be a JSON list. Received: {shown(value)}")
    return value


def check_integer(name: str, value: Any, minimum: int, maximum: int, where: str = "") -> int:
    """Returns `value` as an int.

    Raises:
        ValueError: `value` is not an integer in `[minimum, maximum]`. The message contains `name`
            and, after the minimum, `where`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(
            f"{name} must be an integer of at least {minimum}{where}. "
            f"Received: {name}={shown(value)}"
        )
    if int(value) > maximum:
        raise ValueError(f"{name} must be at most {maximum}. Received: {name}={shown(value)}")
    return int(value)
