"""Files that are either whole or not there: written under a temporary name, then renamed."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

PathLike = str | os.PathLike[str]

_SCRATCH_SUFFIX = ".partial"


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path` and renames it to `path` if the body succeeds.

    The temporary path does not exist yet; the body may make a file or a folder of it. It keeps
    the suffix of `path`, since many writers choose their format by it. On an exception whatever
    was written is removed and `path` is left as it was. An existing folder at `path` is replaced.

    Args:
        path: The file or folder to write. Its parent is made if it is missing.

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
    """Removes what writers that were killed have left below `folder`."""
    for scratch in pathlib.Path(folder).rglob(f".*{_SCRATCH_SUFFIX}"):
        shutil.rmtree(scratch, ignore_errors=True)


def is_partial(path: pathlib.Path) -> bool:
    """Whether `path` is what a writer that was killed has left."""
    return path.name.startswith(".") and path.name.endswith(_SCRATCH_SUFFIX)


def write_text(path: PathLike, text: str) -> None:
    """Writes `text` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: PathLike, value: Any) -> None:
    """Writes `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=False, allow_nan=False) + "\n")


def sha256(path: PathLike) -> str:
    """The hexadecimal SHA-256 of the file at `path`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: PathLike) -> Any:
    """The value in the JSON file at `path`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON; the message names it and where it breaks.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file ({error}).") from error
