"""Versions of a model in a repository."""

import pathlib


def versions(model: pathlib.Path) -> list[int]:
    """Numbers of the version folders in a model's folder, ascending."""
    if not model.is_dir():
        return []
    # Python counts `²` as a digit, servers do not; servers do not read 01 as 1.
    names = [path.name for path in model.iterdir() if path.is_dir()]
    return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))


def next_version(model: pathlib.Path) -> int:
    """Number after the highest version in a model's folder, or 1."""
    return max(versions(model), default=0) + 1
