"""Cityscapes: 19 classes of street scenes in its official folder layout, fine and coarse."""

import pathlib

import numpy as np
from cityscapesscripts.helpers.labels import labels, trainId2label

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import (
    IGNORE_LABEL,
    Sample,
    SegmentationSource,
    make_label_lookup,
)

_IMAGE_ENDING = "_leftImg8bit.png"
_TRAIN_ID_ENDING = "_labelTrainIds.png"
_RAW_ID_ENDING = "_labelIds.png"
_CLASSES = tuple(trainId2label[train_id] for train_id in range(19))


class Cityscapes(SegmentationSource):
    """Cityscapes, or any data set in its folders and with its classes.

    `leftImg8bit/{split}/{city}/*_leftImg8bit.png` are the images. Their labels are
    `gtFine/{split}/{city}/*_gtFine_labelTrainIds.png`, or `*_gtFine_labelIds.png`, which come with
    the download, where more images have these. Names, colours and ids are those of
    `cityscapesscripts.helpers.labels`. The labels of the test split are not public: where its files
    are there, they are void.

    Raises:
        DataError: `root` is no folder or has no split.

    Reference:
        Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.
    """

    name = "cityscapes"
    class_names = tuple(label.name for label in _CLASSES)
    palette = np.array([label.color for label in _CLASSES], np.uint8)
    _annotation = "gtFine"
    _known_splits: tuple[str, ...] = ("train", "val", "test")

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        images = self.root / "leftImg8bit"
        self._split_names = tuple(
            split for split in self._known_splits if (images / split).is_dir()
        )
        if not self._split_names:
            *first, last = (str(images / split) for split in self._known_splits)
            raise DataError(
                f"{self.root} is not in Cityscapes' layout: there is no {', '.join(first)} or "
                f"{last}."
            )
        self._label_ending = self._find_label_ending()
        self.label_lookup = make_label_lookup(
            {train_id: train_id for train_id in (*range(19), IGNORE_LABEL)}
            if self._label_ending == _TRAIN_ID_ENDING
            else {label.id: label.trainId for label in labels if label.id >= 0}
        )

    @property
    def split_names(self) -> tuple[str, ...]:
        return self._split_names

    def _find_label_ending(self) -> str:
        """The kind that more images have, train ids of equals: one lookup serves all splits."""
        images = [image for split in self._split_names for image in self._images(split)]

        def count(ending: str) -> int:
            return sum(self._label_of(image, ending).is_file() for image in images)

        return max((_TRAIN_ID_ENDING, _RAW_ID_ENDING), key=count)

    def _images(self, split: str) -> list[pathlib.Path]:
        return list((self.root / "leftImg8bit").glob(f"{split}/*/*{_IMAGE_ENDING}"))

    def _label_of(self, image: pathlib.Path, ending: str) -> pathlib.Path:
        stem = image.name.removesuffix(_IMAGE_ENDING)
        split, city = image.parts[-3:-1]
        name = f"{stem}_{self._annotation}{ending}"
        return self.root / self._annotation / split / city / name

    def _find_samples(self, split: str) -> list[Sample]:
        return [
            Sample(image, self._label_of(image, self._label_ending))
            for image in self._images(split)
        ]


class CityscapesCoarse(Cityscapes):
    """Cityscapes with its coarse labels, which the 20,000 images of `train_extra` have as well.

    Labels are `gtCoarse/{split}/{city}/*_gtCoarse_labelIds.png`, or `*_gtCoarse_labelTrainIds.png`
    where more images have these. What nobody has drawn is ignored.

    Raises:
        DataError: `root` is no folder or has no split.
    """

    name = "cityscapes_coarse"
    _annotation = "gtCoarse"
    _known_splits = ("train", "train_extra", "val")
