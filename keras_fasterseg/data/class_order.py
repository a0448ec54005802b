"""Reads a data set with its classes in another order, such as that of a network."""

import copy
import csv

import numpy as np

from keras_fasterseg.data.source import SegmentationSource


def in_class_order(source: SegmentationSource, order: str) -> SegmentationSource:
    """Returns `source` with its classes in the order, and under the names, given by `order`.

    Args:
        source: The data set, which stays unchanged.
        order: See `reordered`.

    Raises:
        ValueError: See `reordered`.
    """
    names, positions = reordered(source.class_names, order)
    # The marks above the class ids stay unchanged.
    new_ids = np.arange(256, dtype=np.uint8)
    new_ids[positions] = np.arange(len(positions))
    ordered = copy.copy(source)
    ordered.class_names = names
    ordered.palette = source.palette[positions]
    ordered.label_lookup = new_ids[source.label_lookup]
    return ordered


def reordered(names: tuple[str, ...], order: str) -> tuple[tuple[str, ...], list[int]]:
    """The class names in `order`, and the position of each class in `names`.

    Args:
        names: Names of the classes of a data set.
        order: Every class once, separated by commas: its name, or NEW=NAME to rename it to NEW.
            Names that contain a comma must be quoted.

    Raises:
        ValueError: A class is missing, unknown or listed twice, or two classes would have the
            same name.
    """
    entries = next(csv.reader([order], skipinitialspace=True), [])
    pairs = [_pair(entry, names) for entry in entries]
    new_names, listed = tuple(new for new, _ in pairs), [name for _, name in pairs]
    if sorted(listed) != sorted(names) or len(set(new_names)) < len(new_names):
        raise ValueError(
            f"--class_order must list every class of the data set once: {', '.join(names)}. "
            f"Received: --class_order={order}"
        )
    return new_names, [names.index(name) for name in listed]


def _pair(entry: str, names: tuple[str, ...]) -> tuple[str, str]:
    """A class's new name and its name in the data set."""
    entry = entry.strip()
    new, equals, name = entry.partition("=")
    return (entry, entry) if entry in names or not equals else (new.strip(), name.strip())
