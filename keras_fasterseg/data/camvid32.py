"""CamVid with its 32 original classes."""

import pathlib
from collections.abc import Mapping

import numpy as np

from keras_fasterseg.data.camvid import ORIGINAL_COLORS, CamVid
from keras_fasterseg.data.errors import DataError

_VOID = "Void"
_CLASSES = {name: color for name, color in ORIGINAL_COLORS.items() if name != _VOID}


class CamVid32(CamVid):
    """The original CamVid with its 32 classes: 31 to distinguish, and Void, which is ignored.

    Names and colours are those of the original `label_colors.txt`; layout and splits are those of
    `CamVid`.

    Raises:
        DataError: `root` is not a folder or does not have the original layout with coloured
            labels; the labels of SegNet's layout have only 11 classes.
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
                f"{self.root} holds CamVid in SegNet's layout, whose labels have 11 classes; for "
                "32 classes give the folder of the original download, else use --dataset=camvid."
            )
