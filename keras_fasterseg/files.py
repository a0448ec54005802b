"""Atomic files: written under a temporary name, then renamed when complete."""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import reprlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

PathLike = str | os.PathLike[str]

_SCRATCH_SUFFIX = ".partial"
# The index of a million converted images is smaller.
_LARGEST_JSON = 2**29


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path near `path` and renames it to `path` if the body succeeds.

    The temporary path does not exist yet; the body may create a file or a folder there. It keeps
    the suffix of `path`, because many writers derive their format from it. After an exception,
    anything written is removed and `path` is unchanged. An existing folder at `path` is replaced.

    Args:
        path: The file or folder to write. Its parent is created if missing.

    Raises:
        OSError: The folder cannot be written or the disk is full.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(
        tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SCRATCH_SUFFIX, dir=path.parent)
    )
    try:
        temporary = scratch / path.name
        yield temporary
        if path.is_dir():
            os.replace(path, scratch / "replaced")
        os.replace(temporary, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_partial(folder: PathLike) -> None:
    """Removes leftovers of killed writers below `folder`."""
    for scratch in pathlib.Path(folder).rglob(f".*{_SCRATCH_SUFFIX}"):
        shutil.rmtree(scratch, ignore_errors=True)


def is_partial(path: pathlib.Path) -> bool:
    """True if `path` is a leftover of a killed writer."""
    return path.name.startswith(".") and path.name.endswith(_SCRATCH_SUFFIX)


def write_text(path: PathLike, text: str) -> None:
    """Writes `text` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: PathLike, value: Any) -> None:
    """Writes `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=False, allow_nan=False) + "\n")


def sha256(path: PathLike) -> str:
    """Returns the hexadecimal SHA-256 of the file at `path`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: PathLike) -> Any:
    """Reads the value in the JSON file at `path`, which may be untrusted: see `parse_json`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not JSON or is too large; the message names the file and the error.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"The file {path} does not exist.")
    size = path.stat().st_size
    if size > _LARGEST_JSON:
        raise ValueError(
            f"{path} is not a JSON file of this package: it has {size} bytes, more than "
            f"{_LARGEST_JSON}."
        )
    try:
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file ({error}).") from error


def parse_json(text: str | bytes) -> Any:
    """Parses an untrusted JSON text.

    Accepts only finite numbers and integers of at most 64 bits, so that they can safely be used as
    floats, sizes or text. Python alone would accept others.

    Raises:
        ValueError: The text is not JSON, or contains any other number.
    """
    try:
        return json.loads(
            text, parse_int=_integer, parse_float=_finite, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error


def shown(value: Any) -> str:
    """Formats a value from a file for an error message; long values are shortened."""
    # Python refuses to print integers with thousands of digits.
    if isinstance(value, int) and abs(value) >= 2**64:
        return f"an integer of {value.bit_length()} bits"
    return reprlib.repr(value)


def _integer(text: str) -> int:
    # The longest has 20 characters. Python refuses thousands of digits with a message of its own.
    if len(text) <= 20 and -(2**63) <= (value := int(text)) < 2**64:
        return value
    raise ValueError(f"its integer {text[:20]}... has {len(text)} digits and does not fit 64 bits")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"its number {text[:20]} is too large for a floating-point number")
    return value


def _no_constant(text: str) -> float:
    raise ValueError(f"it contains {text}, which is not a JSON number")
