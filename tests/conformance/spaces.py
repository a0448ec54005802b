"""Every registered search space, with settings that tests can afford."""

import importlib

from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.registry import make_space, space_class, space_names
from tests.conformance.toy_space import ToySpace

NAMES = (*space_names(), ToySpace.name)


def tiny_space(name: str) -> SearchSpace:
    """A small space: by `SETTINGS` of `tests/spaces/NAME/tiny.py`, or a stranger's defaults.

    Raises:
        ModuleNotFoundError: A space of this package has no such file.
    """
    if not space_class(name).__module__.startswith("keras_fasterseg."):
        return make_space(name)
    try:
        settings = importlib.import_module(f"tests.spaces.{name}.tiny").SETTINGS
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Add tests/spaces/{name}/tiny.py with SETTINGS, the smallest {name} there is."
        ) from error
    return make_space(name, settings)
