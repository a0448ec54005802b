"""The data sets that can be named on a command line."""

import pathlib

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.shard_index import INDEX, UNFINISHED, is_index
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.data.synthetic_streets import SyntheticStreets

SOURCES: dict[str, type[SegmentationSource]] = {
    source.name: source for source in (CamVid, Cityscapes, SyntheticStreets)
}


def load_source(name: str, root: str | pathlib.Path) -> SegmentationSource:
    """The data set called `name` in the folder `root`, be it its files or converted shards.

    Raises:
        ValueError: There is no such data set.
        DataError: The folder is not there, not in the layout of that data set, or holds another
            one, converted.
    """
    if name not in SOURCES:
        raise ValueError(f"Unknown data set {name!r}; known are {', '.join(sorted(SOURCES))}.")
    root = pathlib.Path(root)
    if not any(is_index(root / file) for file in (INDEX, UNFINISHED)):
        return SOURCES[name](root)
    # Needs TensorFlow, which those do without who look up names and colours only.
    from keras_fasterseg.data.converted_dataset import ConvertedDataset

    source = ConvertedDataset(root)
    if source.index.dataset != name:
        raise DataError(
            f"{root} holds {source.index.dataset!r}, converted, and not {name!r}; name that one."
        )
    return source
