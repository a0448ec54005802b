"""The data sets that can be named on a command line."""

import pathlib

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.data.synthetic_streets import SyntheticStreets

SOURCES: dict[str, type[SegmentationSource]] = {
    source.name: source for source in (CamVid, Cityscapes, SyntheticStreets)
}


def load_source(name: str, root: str | pathlib.Path) -> SegmentationSource:
    """The data set called `name` in the folder `root`.

    Raises:
        ValueError: There is no such data set.
        DataError: The folder is not there or not in the layout of that data set.
    """
    if name not in SOURCES:
        raise ValueError(f"Unknown data set {name!r}; known are {', '.join(sorted(SOURCES))}.")
    return SOURCES[name](root)
