"""Your own data set in folders: images, labels with the same names, and `dataset.yaml`."""

import pathlib

from keras_fasterseg.data.described_source import DescribedSource
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_listing import (
    find_images,
    find_images_below,
    labels_by_stem,
    look_alikes_below,
)
from keras_fasterseg.data.source import Sample
from keras_fasterseg.data.split_list import listed_images


class Folder(DescribedSource):
    """Images and labels in folders, in one of two layouts, detected from the folder `splits`.

    One folder per split: images are `images/SPLIT/NAME.png`, labels are `labels/SPLIT/NAME.png`.

    One list per split, if `root` has a folder `splits`: images are `images/NAME.png`, labels are
    `labels/NAME.png`, and `splits/SPLIT.txt` lists the NAMEs, one per line.

    Images may have any of `IMAGE_SUFFIXES` and labels any of `LABEL_SUFFIXES`, upper or lower
    case. NAME may include subfolders; `labels/` then has the same subfolders as `images/`.

    Raises:
        DataError: `root` is not a folder, has neither layout, or its `dataset.yaml` is missing or
            wrong.
    """

    name = "folder"

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        self._images, self._labels = self.root / "images", self.root / "labels"
        self._lists = self.root / "splits"
        self._has_lists = self._lists.is_dir()
        if self._has_lists:
            found = [path.stem for path in self._lists.glob("[!.]*.txt")]
        elif self._images.is_dir():
            found = [path.name for path in self._images.glob("[!.]*") if path.is_dir()]
        else:
            found = []
        if not found:
            raise DataError(
                f"{self.root} has no split: expected images in {self._images / 'SPLIT'} and labels "
                f"in {self._labels / 'SPLIT'}, where SPLIT is train, val and so on; or all images "
                f"in {self._images}, all labels in {self._labels} and lists of their names in "
                f"{self._lists / 'SPLIT.txt'}."
            )
        self._name_splits(found)

    def _find_samples(self, split: str) -> list[Sample]:
        on_disk = self._on_disk[split]
        below = "." if self._has_lists else on_disk
        folder, labels = self._images / below, self._labels / below
        images = _images_by_stem(folder)
        if self._has_lists:
            images = listed_images(self._lists / f"{on_disk}.txt", images, folder)
        found = labels_by_stem(labels, below=True)
        return [
            Sample(image, found.get(stem, labels / f"{stem}.png")) for stem, image in images.items()
        ]

    def _find_passed_over(self, split: str) -> list[pathlib.Path]:
        below = "." if self._has_lists else self._on_disk[split]
        found = [
            path
            for folder in (self._images, self._labels)
            for path in look_alikes_below(folder / below)
        ]
        # Images next to the split folders are in no split.
        return found if self._has_lists else [*found, *find_images(self._images)]

    def _find_orphan_labels(self, split: str) -> list[pathlib.Path]:
        folder = self._labels / self._on_disk[split]
        # Lists name images, so a label without an image is in no split.
        if self._has_lists or not folder.is_dir():
            return []
        labelled = {sample.label for sample in self._find_samples(split)}
        return [path for path in find_images_below(folder) if path not in labelled]


def _images_by_stem(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The images below `folder`, by their path relative to it, without suffix."""
    images: dict[str, pathlib.Path] = {}
    for path in find_images_below(folder):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in images:
            raise DataError(
                f"{images[stem]} and {path} would have the same label; rename or remove one of "
                "them."
            )
        images[stem] = path
    return images
