"""Every registered search space, with settings that tests can afford, and its genotypes."""

import collections
import importlib
from typing import Any

import numpy as np

from keras_fasterseg.latency.operations import rows_of
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.cost import deployed_keys
from keras_fasterseg.spaces.registry import make_space, space_class, space_names
from tests.conformance.toy_space import ToySpace

NAMES = (*space_names(), "gas/dense", ToySpace.name)
"""Names of spaces; a variant in the settings of a space follows its name."""

SIZE, CLASSES = (64, 96), 3


def tiny_space(name: str) -> SearchSpace:
    """A small space: by `tests/spaces/NAME/tiny.py`, or a stranger's defaults.

    Args:
        name: NAME for its `SETTINGS`, or NAME/VARIANT for an entry of its `VARIANTS`.

    Raises:
        ModuleNotFoundError: A space of this package has no such file.
    """
    name, _, variant = name.partition("/")
    tiny = _tiny(name)
    if tiny is None:
        return make_space(name)
    return make_space(name, tiny.VARIANTS[variant] if variant else tiny.SETTINGS)


def samples_networks(space: SearchSpace) -> bool:
    """True if a search step runs a single sampled network, by `SAMPLES_NETWORKS` of `tiny.py`."""
    return getattr(_tiny(space.name), "SAMPLES_NETWORKS", False)


def _tiny(name: str) -> Any:
    """The module `tests/spaces/NAME/tiny.py`; None for a stranger."""
    if not space_class(name).__module__.startswith("keras_fasterseg."):
        return None
    try:
        return importlib.import_module(f"tests.spaces.{name}.tiny")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Add tests/spaces/{name}/tiny.py with SETTINGS, the smallest {name} there is."
        ) from error


def genotypes(space, count=4):
    """Random genotypes, and the largest genotype of every role."""
    generator = np.random.default_rng(0)
    drawn = [space.random_genotype(generator) for _ in range(count)]
    return [*drawn, *(space.largest_genotype(role) for role in space.roles)]


def rows_of_network(genotype):
    """The rows that price a network, with the sum of their weights."""
    rows = collections.Counter()
    for key in deployed_keys(genotype, SIZE, CLASSES):
        rows.update(rows_of(key))
    return rows


def count(variables) -> int:
    return sum(int(np.prod(each.shape)) for each in variables)
