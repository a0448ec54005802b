"""Names and display colours of an artefact's classes."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.classes import Classes, check_same_classes, recorded_names
from keras_fasterseg.data.palette import default_palette
from keras_fasterseg.data.registry import SOURCES, load_classes
from keras_fasterseg.files import PathLike
from keras_fasterseg.setting import require


@dataclasses.dataclass(frozen=True)
class ClassStyles:
    """Names and colours of classes.

    Attributes:
        names: Names by class id; None if unknown.
        palette: `(classes, 3)` uint8, RGB.
    """

    names: tuple[str, ...] | None
    palette: np.ndarray


def class_styles(
    metadata: Mapping[str, Any],
    dataset: str | None = None,
    names: Sequence[str] = (),
    colors: Sequence[str] = (),
    *,
    data_dir: PathLike | None = None,
    class_order: str | None = None,
) -> ClassStyles:
    """Names and colours of an artefact's classes, from the first source that has them.

    Names come from `names`, `dataset` or the manifest, in this order. Without any, classes are
    numbered if the manifest has their number. Colours come from `colors`, `dataset`, the manifest,
    the known data set with exactly these names, or PASCAL VOC's colour map, in this order.

    Args:
        metadata: The artefact's manifest.
        dataset: A name in `SOURCES`.
        names: One name per class.
        colors: One colour per class, such as `804080`: red, green and blue in hexadecimal.
        data_dir: Folder of the data set, needed if a file in it describes the classes.
        class_order: See `reordered`.

    Raises:
        DataError: The folder, or the file in it, is wrong.
        ValueError: The data set needs its folder, or `data_dir` is given without `dataset`; its
            classes differ from the manifest; the number of names or colours differs from the
            number of classes; or a colour has another format.
    """
    require(
        data_dir is None or dataset is not None,
        "--data_dir needs --dataset; set it to the data set in that folder.",
    )
    class_names, palette = None, None
    count = metadata.get("num_classes")
    if dataset is not None:
        class_names, palette = load_classes(dataset, data_dir, class_order)
    if dataset is not None and class_names is not None and not names:
        known = count if isinstance(count, int) else None
        check_same_classes(recorded_names(metadata), known, "The network", class_names, dataset)
    found = tuple(names) or class_names or recorded_names(metadata)
    if found is None and isinstance(count, int):
        found = tuple(map(str, range(count)))
    if found is not None:
        _check_count("names", len(found), count)
    if colors:
        palette = np.array([_color(each) for each in colors], np.uint8)
        _check_count("colours", len(palette), count or (found and len(found)))
    elif palette is None:
        palette = _palette_of(found, metadata)
    return ClassStyles(found, palette)


def _palette_of(names: tuple[str, ...] | None, metadata: Mapping[str, Any]) -> np.ndarray:
    """Colours of these classes from the manifest, a data set with these classes, or PASCAL VOC."""
    if names is not None and names == recorded_names(metadata) and metadata.get("colors"):
        recorded = Classes.from_json({"names": names, "colors": metadata["colors"]})
        return np.array(recorded.colors, np.uint8)
    for source in SOURCES.values():
        if source.class_names == names:
            return source.palette
    return default_palette()


def _color(text: str) -> tuple[int, ...]:
    match = re.fullmatch(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", text.strip())
    if match is None:
        raise ValueError(
            "A colour must be red, green and blue in hexadecimal, such as 804080. "
            f"Received: --class_colors={text}"
        )
    return tuple(int(part, 16) for part in match.groups())


def _check_count(what: str, received: int, expected: Any) -> None:
    require(
        not isinstance(expected, int) or received == expected,
        f"The network has {expected} classes, but received {received} {what}; use the data set "
        "that it was trained on, or give one for every class.",
    )
