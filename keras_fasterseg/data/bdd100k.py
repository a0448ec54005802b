"""BDD100K: Cityscapes' 19 classes on 10,000 images from drives in the United States."""

import pathlib

from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.file_source import FileSource
from keras_fasterseg.data.image_listing import find_images, labels_by_stem, look_alikes_below
from keras_fasterseg.data.source import (
    IGNORE_LABEL,
    Sample,
    make_label_lookup,
)

_SPLITS = ("train", "val", "test")
# Image folder, label folder, and what the stem of a label adds to the stem of its image.
_LAYOUTS = (
    ("images/10k", "labels/sem_seg/masks", ""),
    ("seg/images", "seg/labels", "_train_id"),
)


class BDD100K(FileSource):
    """BDD100K's semantic segmentation, in either of its two layouts, detected from the folders.

    Images are `images/10k/{split}/NAME.jpg` and labels `labels/sem_seg/masks/{split}/NAME.png`.
    In older downloads, they are `seg/images/{split}/NAME.jpg` and
    `seg/labels/{split}/NAME_train_id.png`. Labels hold the train ids of Cityscapes, 255 for
    ignored pixels. The labels of the test split are not public.

    Raises:
        DataError: `root` is not a folder or has neither layout.

    Reference:
        Yu et al., "BDD100K: A Diverse Driving Dataset for Heterogeneous Multitask Learning",
        CVPR 2020.
    """

    name = "bdd100k"
    class_names = Cityscapes.class_names
    palette = Cityscapes.palette
    label_lookup = make_label_lookup(
        {train_id: train_id for train_id in (*range(len(class_names)), IGNORE_LABEL)}
    )

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        for images, labels, ending in _LAYOUTS:
            self._images, self._labels, self._ending = (
                self.root / images,
                self.root / labels,
                ending,
            )
            self._split_names = tuple(split for split in _SPLITS if (self._images / split).is_dir())
            if self._split_names:
                return
        raise DataError(
            f"{self.root} is not in BDD100K's layout: it has no folder "
            + " and no ".join(f"{self.root / images / 'train'}" for images, *_ in _LAYOUTS)
            + "; give the folder that contains images/ and labels/."
        )

    @property
    def split_names(self) -> tuple[str, ...]:
        return self._split_names

    def _find_samples(self, split: str) -> list[Sample]:
        labels = self._labels / split
        found = labels_by_stem(labels)
        return [
            Sample(image, found.get(stem, labels / f"{stem}.png"))
            for image in find_images(self._images / split)
            for stem in (f"{image.stem}{self._ending}",)
        ]

    def _find_passed_over(self, split: str) -> list[pathlib.Path]:
        folders = (self._images / split, self._labels / split)
        return [path for folder in folders for path in look_alikes_below(folder)]
