"""Reads `dataset.yaml`, which describes your own data set: classes, labels, normalisation."""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.data import yaml_values as values
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.palette import default_palette
from keras_fasterseg.data.source import IGNORE_LABEL, NOT_ALLOWED, make_label_lookup
from keras_fasterseg.data.yaml_values import Fields, wrong
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD

DATASET_FILE = "dataset.yaml"
# Train ids end below the mark of ids that must not occur.
MAXIMUM_CLASSES = NOT_ALLOWED
_IDS, _COLORS = "ids", "colors"
_KEYS = ("name", "classes", "labels", "ignore_index", "ignore_colors", "mean", "std", "splits")
_CLASS_KEYS = ("name", "color", "ids", "label_colors")
# Keys that are valid for one kind of labels only.
_KIND_OF = {
    **dict.fromkeys(("ids", "ignore_index"), _IDS),
    **dict.fromkeys(("label_colors", "ignore_colors"), _COLORS),
}
# `read_label` numbers colours with 8 bits.
_MAXIMUM_COLORS = 256


@dataclasses.dataclass(frozen=True)
class DatasetFile:
    """The contents of a `dataset.yaml`, checked.

    Attributes:
        name: Name of the data set.
        class_names: Names of the classes, by train id.
        palette: `(num_classes, 3)` uint8, the RGB colour that shows each class.
        train_ids: Maps the ids or RGB colours in label files to train ids; 255 for ignored ones.
        has_colors: True if label files hold colours instead of ids.
        mean: Mean of the three channels, for images scaled to [0, 1].
        std: Standard deviation of the three channels, for images scaled to [0, 1].
        splits: Maps the names of splits to their names on disk; other splits keep their name.
    """

    name: str
    class_names: tuple[str, ...]
    palette: np.ndarray
    train_ids: Mapping[Any, int]
    has_colors: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    splits: Mapping[str, str]

    @property
    def label_colors(self) -> np.ndarray | None:
        """See `SegmentationSource`."""
        return np.array(list(self.train_ids), np.uint8) if self.has_colors else None

    @property
    def label_lookup(self) -> np.ndarray:
        """See `SegmentationSource`."""
        if self.has_colors:
            return make_label_lookup(dict(enumerate(self.train_ids.values())))
        return make_label_lookup(self.train_ids)

    def definition(self) -> dict[str, Any]:
        """The values that affect results, as JSON values; without data set name and palette."""
        return {
            "classes": list(self.class_names),
            "labels": {str(key): train_id for key, train_id in self.train_ids.items()},
            "mean": list(self.mean),
            "std": list(self.std),
            "splits": dict(self.splits),
        }


def read_dataset_file(path: pathlib.Path) -> DatasetFile:
    """Reads and checks a `dataset.yaml`; docs/own_data.md describes its keys.

    Raises:
        DataError: The file does not exist or is wrong; the message names the file, the key, the
            received and the expected value.
    """
    if not path.is_file():
        raise DataError(
            f"The file {path} does not exist. Write one that names the classes, in its "
            "simplest form: classes: [road, car, sky]"
        )
    try:
        file = values.fields("the file", values.read_yaml(path), _KEYS)
        return _parsed(file, path.resolve().parent.name)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {error}") from error


def _parsed(file: Fields, folder_name: str) -> DatasetFile:
    classes = _classes(file.get("classes"))
    kind = file.get("labels", _IDS)
    if kind not in (_IDS, _COLORS):
        raise wrong("`labels`", f"{_IDS} or {_COLORS}", kind)
    for key in dict.fromkeys(key for each in (file, *classes) for key in each):
        if _KIND_OF.get(key, kind) != kind:
            raise ValueError(f"`{key}` requires `labels: {_KIND_OF[key]}`. Received: {kind}")
    if ("mean" in file) != ("std" in file):
        raise ValueError("Give both `mean` and `std`, or neither.")
    std = values.channels("`std`", file.get("std", IMAGENET_STD))
    if min(std) == 0:
        raise wrong("Every `std`", "above 0", list(std))
    return DatasetFile(
        name=values.text("`name`", file.get("name", folder_name)),
        class_names=tuple(each["name"] for each in classes),
        palette=_palette(classes),
        train_ids=_train_ids_by_id(file, classes)
        if kind == _IDS
        else _train_ids_by_color(file, classes),
        has_colors=kind == _COLORS,
        mean=values.channels("`mean`", file.get("mean", IMAGENET_MEAN)),
        std=std,
        splits=_splits(file.get("splits", {})),
    )


def _classes(listed: Any) -> list[Fields]:
    """The classes as mappings, each with a unique `name`."""
    if not isinstance(listed, list) or not 2 <= len(listed) <= MAXIMUM_CLASSES:
        raise wrong("`classes`", f"a list of 2 to {MAXIMUM_CLASSES} classes", listed)
    classes: list[Fields] = []
    for index, each in enumerate(listed):
        place = f"classes[{index}]"
        each = values.fields(place, each, _CLASS_KEYS) if isinstance(each, dict) else {"name": each}
        name = values.text(f"The name of {place}", each.get("name"))
        if any(name == other["name"] for other in classes):
            raise ValueError(f"Names of `classes` must differ. Received: {name!r} twice")
        classes.append({**each, "name": name})
    return classes


def _palette(classes: Sequence[Fields]) -> np.ndarray:
    """The colour of each class; classes without a `color` get unused colours."""
    given = {
        each["name"]: values.color(_place("color", each), each["color"])
        for each in classes
        if "color" in each
    }
    taken = _only_owners("colour", ((repr(name), [color]) for name, color in given.items()))
    # Skips the first, black, which looks like a shadow in an overlay.
    made = (tuple(color.tolist()) for color in default_palette()[1:])
    free = (color for color in made if color not in taken)
    return np.array([given.get(each["name"]) or next(free) for each in classes], np.uint8)


def _train_ids_by_id(file: Fields, classes: Sequence[Fields]) -> dict[int, int]:
    without = [each["name"] for each in classes if "ids" not in each]
    if 0 < len(without) < len(classes):
        raise ValueError(
            f"Give `ids` for every class or for none. Received: no ids for {without[0]!r}"
        )
    of_classes = [
        (index,) if without else values.ids(_place("ids", each), each["ids"])
        for index, each in enumerate(classes)
    ]
    ignored: tuple[int, ...] = ()
    if "ignore_index" in file:
        ignored = values.ids("`ignore_index`", file["ignore_index"])
    # Masks of 0 and 255 use 255 as the id of a class.
    elif not any(IGNORE_LABEL in each for each in of_classes):
        ignored = (IGNORE_LABEL,)
    return _train_ids("id", classes, of_classes, "`ignore_index`", ignored)


def _train_ids_by_color(file: Fields, classes: Sequence[Fields]) -> dict[values.RGB, int]:
    of_classes = []
    for each in classes:
        key = "label_colors" if "label_colors" in each else "color"
        if key not in each:
            raise ValueError(f"{_place('color', each)} is required, because labels are colours.")
        of_classes.append(values.colors(_place(key, each), each[key]))
    ignored: tuple[values.RGB, ...] = ()
    if "ignore_colors" in file:
        ignored = values.colors("`ignore_colors`", file["ignore_colors"])
    train_ids = _train_ids("colour", classes, of_classes, "`ignore_colors`", ignored)
    if len(train_ids) > _MAXIMUM_COLORS:
        raise wrong("The number of label colours", f"at most {_MAXIMUM_COLORS}", len(train_ids))
    return train_ids


def _train_ids(
    kind: str,
    classes: Sequence[Fields],
    of_classes: Sequence[Sequence[Any]],
    ignoring: str,
    ignored: Sequence[Any],
) -> dict[Any, int]:
    owners = [repr(each["name"]) for each in classes]
    _only_owners(kind, [*zip(owners, of_classes, strict=True), (ignoring, ignored)])
    train_ids = {key: index for index, keys in enumerate(of_classes) for key in keys}
    return {**train_ids, **dict.fromkeys(ignored, IGNORE_LABEL)}


def _only_owners(kind: str, keys_of: Iterable[tuple[str, Iterable[Any]]]) -> dict[Any, str]:
    """Maps each key to its only owner. Raises `ValueError` if a key occurs twice."""
    owners: dict[Any, str] = {}
    for owner, keys in keys_of:
        for key in keys:
            if key in owners:
                raise ValueError(
                    f"The {kind} {key} must be used only once. Received: it is in "
                    f"{owners[key]} and in {owner}"
                )
            owners[key] = owner
    return owners


def _splits(listed: Any) -> dict[str, str]:
    if not isinstance(listed, dict):
        raise wrong("`splits`", "a mapping such as {val: validation}", listed)
    splits = {
        values.text("A name in `splits`", name): values.text(f"`splits.{name}`", on_disk)
        for name, on_disk in listed.items()
    }
    if any("+" in name for name in splits):
        raise wrong("Names in `splits`", "without +, which joins splits", list(splits))
    _only_owners("folder or file", ((name, [on_disk]) for name, on_disk in splits.items()))
    return splits


def _place(key: str, each: Fields) -> str:
    return f"`{key}` of the class {each['name']!r}"
