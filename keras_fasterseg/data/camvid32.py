"""CamVid with the classes that its labels were drawn in."""

import pathlib
from collections.abc import Mapping

import numpy as np

from keras_fasterseg.data.camvid import ORIGINAL_COLORS, CamVid
from keras_fasterseg.data.errors import DataError

_VOID = "Void"
_CLASSES = {name: color for name, color in ORIGINAL_COLORS.items() if name != _VOID}


class CamVid32(CamVid):
    """The original CamVid in its own 32 classes: 31 to tell apart, and Void, which is ignored.

    Names and colours are those of the original's `label_colors.txt`; layout and splits are those
    of `CamVid`.

    Raises:
        DataError: `root` is no folder or does not hold the original layout, whose labels are
            coloured: SegNet's have 11 classes.
    """

    name = "camvid32"
    class_names = tuple(_CLASSES)
    palette = np.array(list(_CLASSES.values()), np.uint8)
    _class_of_original: Mapping[str, str | None] = {
        name: None if name == _VOID else name for name in ORIGINAL_COLORS
    }

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        if self.label_colors is None:
            raise DataError(
                f"{self.root} holds CamVid in SegNet's layout, whose labels have 11 classes; give "
                "the original download for 32, or name the data set camvid."
            )
