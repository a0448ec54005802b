"""CamVid: 11 classes of street scenes, in SegNet's layout or the original one."""

import pathlib
import re
from collections.abc import Mapping

import numpy as np

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.file_source import FileSource
from keras_fasterseg.data.image_listing import (
    by_stem,
    find_images,
    labels_by_stem,
    look_alikes_below,
)
from keras_fasterseg.data.source import (
    IGNORE_LABEL,
    Sample,
    make_label_lookup,
)
from keras_fasterseg.data.split_list import listed_images

_SPLITS = ("train", "val", "test")
_VOID_ID = 11
_IMAGES = "701_StillsRaw_full"
_LABELS = "LabeledApproved_full"

_CLASSES = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign symbol": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}

# Names and colours of the 32 original classes, as in label_colors.txt, and the one of the 11
# classes that each belongs to. The grouping has been in use since SegNet; MathWorks documents it
# for its CamVid example.
_GROUPED = {
    "Animal": ((64, 128, 64), "pedestrian"),
    "Archway": ((192, 0, 128), "building"),
    "Bicyclist": ((0, 128, 192), "bicyclist"),
    "Bridge": ((0, 128, 64), "building"),
    "Building": ((128, 0, 0), "building"),
    "Car": ((64, 0, 128), "car"),
    "CartLuggagePram": ((64, 0, 192), "pedestrian"),
    "Child": ((192, 128, 64), "pedestrian"),
    "Column_Pole": ((192, 192, 128), "pole"),
    "Fence": ((64, 64, 128), "fence"),
    "LaneMkgsDriv": ((128, 0, 192), "road"),
    "LaneMkgsNonDriv": ((192, 0, 64), "road"),
    "Misc_Text": ((128, 128, 64), "sign symbol"),
    "MotorcycleScooter": ((192, 0, 192), "bicyclist"),
    "OtherMoving": ((128, 64, 64), "car"),
    "ParkingBlock": ((64, 192, 128), "pavement"),
    "Pedestrian": ((64, 64, 0), "pedestrian"),
    "Road": ((128, 64, 128), "road"),
    "RoadShoulder": ((128, 128, 192), "pavement"),
    "Sidewalk": ((0, 0, 192), "pavement"),
    "SignSymbol": ((192, 128, 128), "sign symbol"),
    "Sky": ((128, 128, 128), "sky"),
    "SUVPickupTruck": ((64, 128, 192), "car"),
    "TrafficCone": ((0, 0, 64), "pole"),
    "TrafficLight": ((0, 64, 64), "sign symbol"),
    "Train": ((192, 64, 128), "car"),
    "Tree": ((128, 128, 0), "tree"),
    "Truck_Bus": ((192, 128, 192), "car"),
    "Tunnel": ((64, 0, 64), "building"),
    "VegetationMisc": ((192, 192, 0), "tree"),
    "Void": ((0, 0, 0), None),
    "Wall": ((64, 192, 0), "building"),
}
ORIGINAL_COLORS = {name: color for name, (color, _) in _GROUPED.items()}


class CamVid(FileSource):
    """CamVid in either of its two layouts, which is detected from the folders in `root`.

    SegNet's layout: images are in `train`, `val`, `test`. Labels are in `trainannot`, `valannot`,
    `testannot`: PNGs of class ids 0 to 10, and 11 for void.

    Original layout: images are in `701_StillsRaw_full`. Labels are `*_L.png` in
    `LabeledApproved_full`, coloured in 32 classes. `train.txt`, `val.txt` and `test.txt` next to
    the two folders define the splits, one image stem per line. If none of the three exists, the
    published splits apply (`published_split`).

    Raises:
        DataError: `root` is not a folder or has neither layout.

    Reference:
        Brostow et al., "Semantic object classes in video", Pattern Recognition Letters 2009;
        Badrinarayanan et al., "SegNet", TPAMI 2017, for the splits and the 11 classes.
    """

    name = "camvid"
    class_names = tuple(_CLASSES)
    palette = np.array(list(_CLASSES.values()), np.uint8)
    # Maps each original class to its class here; None if it is ignored.
    _class_of_original: Mapping[str, str | None] = {
        original: name for original, (_, name) in _GROUPED.items()
    }

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        self._is_original = (self.root / _IMAGES).is_dir()
        if self._is_original:
            self._split_names = tuple(
                split for split in _SPLITS if (self.root / f"{split}.txt").is_file()
            )
            self._has_lists = bool(self._split_names)
            self._split_names = self._split_names or _SPLITS
            self.label_colors = np.array(list(ORIGINAL_COLORS.values()), np.uint8)
            self.label_lookup = make_label_lookup(
                {
                    index: IGNORE_LABEL if name is None else self.class_names.index(name)
                    for index, name in enumerate(self._class_of_original.values())
                }
            )
            return
        self._split_names = tuple(split for split in _SPLITS if (self.root / split).is_dir())
        if not self._split_names:
            raise DataError(
                f"{self.root} does not contain CamVid: expected the folders train, trainannot, val "
                f"and valannot, or {_IMAGES} and {_LABELS}."
            )
        self.label_lookup = make_label_lookup(
            {**{train_id: train_id for train_id in range(_VOID_ID)}, _VOID_ID: IGNORE_LABEL}
        )

    @property
    def split_names(self) -> tuple[str, ...]:
        return self._split_names

    def _find_samples(self, split: str) -> list[Sample]:
        if self._is_original:
            images = self._original_images(split)
        else:
            images = find_images(self.root / split)
        labels, ending = self._label_folder(split), "_L" if self._is_original else ""
        found = labels_by_stem(labels)
        stems = [f"{image.stem}{ending}" for image in images]
        return [
            Sample(image, found.get(stem, labels / f"{stem}.png"))
            for image, stem in zip(images, stems, strict=True)
        ]

    def _find_passed_over(self, split: str) -> list[pathlib.Path]:
        images = self.root / (_IMAGES if self._is_original else split)
        folders = (images, self._label_folder(split))
        return [path for folder in folders for path in look_alikes_below(folder)]

    def _label_folder(self, split: str) -> pathlib.Path:
        return self.root / (_LABELS if self._is_original else f"{split}annot")

    def _find_orphan_labels(self, split: str) -> list[pathlib.Path]:
        folder = self._label_folder(split)
        # Lists name images, so a label without an image is in no split.
        if not folder.is_dir() or (self._is_original and self._has_lists):
            return []
        labelled = {sample.label for sample in self._find_samples(split)}
        orphans = [path for path in find_images(folder) if path not in labelled]
        if not self._is_original:
            return orphans
        return [path for path in orphans if _split_of_label(path) == split]

    def _original_images(self, split: str) -> list[pathlib.Path]:
        folder = self.root / _IMAGES
        images = find_images(folder)
        if not self._has_lists:
            return [image for image in images if published_split(image.stem) == split]
        list_file = self.root / f"{split}.txt"
        return list(listed_images(list_file, by_stem(images, folder), folder).values())


def _split_of_label(label: pathlib.Path) -> str | None:
    """The published split of an original label; `None` if its name is not one of CamVid's."""
    try:
        return published_split(label.stem.removesuffix("_L"))
    except DataError:
        return None


def published_split(stem: str) -> str:
    """The split ("train", "val" or "test") of an original image in SegNet's division.

    The division follows the four videos. `0006R0` is for training, `Seq05VD` for testing.
    `0001TP` is for training up to frame 8520, then for testing. In `0016E5`, frames 7959 to 8159,
    labelled at every second frame, are for validation and the rest for training. The splits have
    367, 101 and 233 images.

    Args:
        stem: File name of the image without its suffix, such as "0001TP_006690".

    Raises:
        DataError: The name is not one of CamVid's.
    """
    match = re.fullmatch(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d+)", stem)
    if match is None:
        raise DataError(
            f"{stem} is not the name of a CamVid image (such as 0001TP_006690); list the images "
            "of each split in train.txt, val.txt and test.txt."
        )
    video, frame = match[1], int(match[2])
    if video == "Seq05VD" or (video == "0001TP" and frame > 8520):
        return "test"
    return "val" if video == "0016E5" and 7959 <= frame <= 8159 else "train"
