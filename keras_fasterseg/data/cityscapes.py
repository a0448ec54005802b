"""Cityscapes: 19 classes of street scenes in the official folder layout, fine and coarse."""

import pathlib

import numpy as np
from cityscapesscripts.helpers.labels import labels, trainId2label

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

_IMAGE_ENDING = "_leftImg8bit"
_TRAIN_ID_ENDING = "_labelTrainIds"
_RAW_ID_ENDING = "_labelIds"
_CLASSES = tuple(trainId2label[train_id] for train_id in range(19))


class Cityscapes(FileSource):
    """Cityscapes, or any data set with its folder layout and classes.

    Images are `leftImg8bit/{split}/{city}/*_leftImg8bit.png`. Labels are
    `gtFine/{split}/{city}/*_gtFine_labelTrainIds.png`, or the `*_gtFine_labelIds.png` of the
    download if more images have these. Names, colours and ids are those of
    `cityscapesscripts.helpers.labels`. The labels of the test split are not public: its label
    files, if present, are void.

    Raises:
        DataError: `root` is not a folder or has no split.

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
                f"{self.root} is not in Cityscapes' layout: it has no folder {', '.join(first)} "
                f"or {last}."
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
        """The label kind of most images, train ids if tied: one lookup serves all splits."""

        def count(ending: str) -> int:
            return sum(
                sample.label.is_file()
                for split in self._split_names
                for sample in self._pairs(split, ending)
            )

        return max((_TRAIN_ID_ENDING, _RAW_ID_ENDING), key=count)

    def _pairs(self, split: str, ending: str) -> list[Sample]:
        samples = []
        for city in filter(pathlib.Path.is_dir, (self.root / "leftImg8bit" / split).iterdir()):
            labels = self.root / self._annotation / split / city.name
            found = labels_by_stem(labels)
            for stem, image in by_stem(find_images(city), city).items():
                if stem.endswith(_IMAGE_ENDING):
                    name = f"{stem.removesuffix(_IMAGE_ENDING)}_{self._annotation}{ending}"
                    samples.append(Sample(image, found.get(name, labels / f"{name}.png")))
        return samples

    def _find_samples(self, split: str) -> list[Sample]:
        return self._pairs(split, self._label_ending)

    def _find_passed_over(self, split: str) -> list[pathlib.Path]:
        folders = (self.root / name / split for name in ("leftImg8bit", self._annotation))
        return [path for folder in folders for path in look_alikes_below(folder)]


class CityscapesCoarse(Cityscapes):
    """Cityscapes with its coarse labels, which also cover the 20,000 images of `train_extra`.

    Labels are `gtCoarse/{split}/{city}/*_gtCoarse_labelIds.png`, or `*_gtCoarse_labelTrainIds.png`
    if at least as many images have these. Unlabelled areas are ignored.

    Raises:
        DataError: `root` is not a folder or has no split.
    """

    name = "cityscapes_coarse"
    _annotation = "gtCoarse"
    _known_splits = ("train", "train_extra", "val")
