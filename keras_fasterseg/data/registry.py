"""The data sets that can be selected by name on a command line."""

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
    """Opens the data set `name` in the folder `root`, as original files or converted shards.

    Args:
        name: A name in `SOURCES`.
        root: Its folder.
        class_order: See `reordered`; `None` keeps the data set's own order.
        max_megapixels: Larger images and labels are rejected before they are decoded.

    Raises:
        ValueError: The data set is unknown, or `class_order` does not fit it.
        DataError: The folder is missing, has another layout, or holds another converted data set.
    """
    source = _load_source(name, pathlib.Path(root))
    source.max_megapixels = max_megapixels
    return source if class_order is None else in_class_order(source, class_order)


def _load_source(name: str, root: pathlib.Path) -> SegmentationSource:
    source_class = _source_class(name)
    if not any(is_index(root / file) for file in (INDEX, UNFINISHED)):
        return source_class(root)
    # Imported here: it needs TensorFlow, and looking up names and colours does not.
    from keras_fasterseg.data.converted_dataset import ConvertedDataset

    source = ConvertedDataset(root)
    if source.index.dataset != name:
        raise DataError(
            f"{root} holds the converted data set {source.index.dataset!r}, not {name!r}; set "
            f"--dataset={source.index.dataset}."
        )
    return source


def load_classes(
    name: str, root: PathLike | None = None, class_order: str | None = None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names of a data set, and their colours `(num_classes, 3)` uint8.

    Args:
        name: A name in `SOURCES`.
        root: Its folder, needed only if a file in it describes the classes.
        class_order: See `reordered`.

    Raises:
        ValueError: The data set is unknown, or it needs its folder.
        DataError: See `load_source`.
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
    """The data set in the folder `root`; without a folder, the class of the data set.

    Raises:
        ValueError: The data set is unknown.
        DataError: See `load_source`.
    """
    return _source_class(name) if root is None else load_source(name, root)


def _source_class(name: str) -> type[SegmentationSource]:
    if name not in SOURCES:
        raise ValueError(f"Unknown data set {name!r}; use one of {', '.join(sorted(SOURCES))}.")
    return SOURCES[name]
