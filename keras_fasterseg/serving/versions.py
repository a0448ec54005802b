"""Which versions of a model a repository has."""

import pathlib


def versions(model: pathlib.Path) -> list[int]:
    """The numbers of the version folders in the folder of a model, ascending."""
    if not model.is_dir():
        return []
    # `²` is a digit to Python and none to a server; neither reads 01 as 1.
    names = [path.name for path in model.iterdir() if path.is_dir()]
    return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))


def next_version(model: pathlib.Path) -> int:
    """The number after the highest that the folder of a model has, or 1."""
    return max(versions(model), default=0) + 1
