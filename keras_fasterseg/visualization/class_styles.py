"""What the classes of an artefact are called, and in which colours they are shown."""

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
        names: By class id; None where only numbers are known.
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
    """Names and colours of an artefact's classes: what was said of them, else what is known.

    Names are `names`, else those of `dataset`, else those in the manifest; without any, the number
    of classes in the manifest gives numbers. Colours are `colors`, else those of `dataset`, else
    those in the manifest, else those of the data set that has just these names, else PASCAL VOC's.

    Args:
        metadata: The artefact's manifest.
        dataset: A name of `SOURCES`.
        names: A name for every class.
        colors: A colour for every class, such as `804080`: red, green and blue in hexadecimal.
        data_dir: Folder of the data set, for those whose classes a file there describes.
        class_order: See `reordered`.

    Raises:
        DataError: The folder, or that file, is not as it must be.
        ValueError: The data set needs its folder or is not named; it has other classes than the
            manifest says; there are more or fewer names or colours than the artefact has classes;
            or a colour is not written so.
    """
    require(
        data_dir is None or dataset is not None,
        "--data_dir needs --dataset, which says what lies there.",
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
    """The recorded colours of these classes, those of the data set with them, or PASCAL VOC's."""
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
            "A colour is red, green and blue in hexadecimal, such as 804080. "
            f"Received: --class_colors={text}"
        )
    return tuple(int(part, 16) for part in match.groups())


def _check_count(what: str, received: int, expected: Any) -> None:
    require(
        not isinstance(expected, int) or received == expected,
        f"The network tells {expected} classes apart, and there are {received} {what}; name the "
        "data set that it was trained on, or give one for every class.",
    )
