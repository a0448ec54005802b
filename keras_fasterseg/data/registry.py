"""The data sets that can be named on a command line."""

import pathlib

import numpy as np

from keras_fasterseg.data.bdd100k import BDD100K
from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.camvid32 import CamVid32
from keras_fasterseg.data.cityscapes import Cityscapes, CityscapesCoarse
from keras_fasterseg.data.class_order import in_class_order, reordered
from keras_fasterseg.data.csv_list import CsvList
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.data.shard_index import INDEX, UNFINISHED, is_index
from keras_fasterseg.data.source import MAX_MEGAPIXELS, SegmentationSource
from keras_fasterseg.data.synthetic_streets import SyntheticStreets
from keras_fasterseg.files import PathLike

SOURCES: dict[str, type[SegmentationSource]] = {
    source.name: source
    for source in (
        *(Folder, CsvList, CamVid, CamVid32, Cityscapes, CityscapesCoarse, BDD100K),
        SyntheticStreets,
    )
}


def load_source(
    name: str,
    root: PathLike,
    class_order: str | None = None,
    max_megapixels: int = MAX_MEGAPIXELS,
) -> SegmentationSource:
    """The data set called `name` in the folder `root`, be it its files or converted shards.

    Args:
        name: A name of `SOURCES`.
        root: Its folder.
        class_order: See `reordered`; `None` leaves the classes in the data set's own order.
        max_megapixels: Its `max_megapixels`.

    Raises:
        ValueError: There is no such data set, or `class_order` does not fit it.
        DataError: The folder is not there, not in the layout of that data set, or holds another
            one, converted.
    """
    source = _load_source(name, pathlib.Path(root))
    source.max_megapixels = max_megapixels
    return source if class_order is None else in_class_order(source, class_order)


def _load_source(name: str, root: pathlib.Path) -> SegmentationSource:
    source_class = _source_class(name)
    if not any(is_index(root / file) for file in (INDEX, UNFINISHED)):
        return source_class(root)
    # Needs TensorFlow, which those do without who look up names and colours only.
    from keras_fasterseg.data.converted_dataset import ConvertedDataset

    source = ConvertedDataset(root)
    if source.index.dataset != name:
        raise DataError(
            f"{root} holds {source.index.dataset!r}, converted, and not {name!r}; name that one."
        )
    return source


def load_classes(
    name: str, root: PathLike | None = None, class_order: str | None = None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes of a data set, and their colours `(num_classes, 3)` uint8.

    Args:
        name: What the data set is called.
        root: Its folder, which only those need whose classes a file there describes.
        class_order: See `reordered`.

    Raises:
        ValueError: There is no such data set, or it needs its folder.
        DataError: As of `load_source`.
    """
    source = _source_class(name) if root is None else load_source(name, root)
    if not source.class_names:
        raise ValueError(
            f"The classes of the data set {name!r} are described in its folder; set --data_dir."
        )
    if class_order is None:
        return source.class_names, source.palette
    names, positions = reordered(source.class_names, class_order)
    return names, source.palette[positions]


def find_source(
    name: str, root: PathLike | None = None
) -> SegmentationSource | type[SegmentationSource]:
    """The data set in the folder `root`; without one what its code alone says.

    Raises:
        ValueError: There is no such data set.
        DataError: As of `load_source`.
    """
    return _source_class(name) if root is None else load_source(name, root)


def _source_class(name: str) -> type[SegmentationSource]:
    if name not in SOURCES:
        raise ValueError(f"Unknown data set {name!r}; known are {', '.join(sorted(SOURCES))}.")
    return SOURCES[name]
