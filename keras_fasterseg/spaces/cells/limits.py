"""Limits of networks of cells."""

from typing import Any

from keras_fasterseg.setting import require
from keras_fasterseg.spaces.genotype import check_integer

MOST_CELLS = 64
MOST_FILTERS = 4096


def check_filters(genotype: Any) -> None:
    """Checks `initial_filters` and `decoder_filters` of a genotype, and makes them integers.

    Raises:
        ValueError: They are out of range, or `initial_filters` is odd.
    """
    for name, minimum in (("initial_filters", 2), ("decoder_filters", 1)):
        value = check_integer(name, getattr(genotype, name), minimum, MOST_FILTERS)
        object.__setattr__(genotype, name, value)
    filters = genotype.initial_filters
    require(filters % 2 == 0, f"initial_filters must be even. Received: initial_filters={filters}")
