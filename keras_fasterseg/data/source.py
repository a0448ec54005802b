"""The interface of a data set: class names, colours, a label map and pairs of files."""

import abc
import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from keras_fasterseg.classes import Classes
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD

IGNORE_LABEL = 255
# Marks ids that a label file must not hold. Train ids are below it; 255 means "ignored".
NOT_ALLOWED = 254
# An RGB image of this size needs 750 MB.
MAX_MEGAPIXELS = 250
TRAIN_AND_VAL = "train+val"


@dataclasses.dataclass(frozen=True)
class Sample:
    """An image and its label.

    Attributes:
        image: File of an RGB image.
        label: File of its label, of the same height and width.
    """

    image: pathlib.Path
    label: pathlib.Path

    def check_label(self) -> None:
        """Raises `DataError` if the label file is missing."""
        if not self.label.is_file():
            raise DataError(f"The image {self.image} has no label: there is no file {self.label}.")


class SegmentationSource(abc.ABC):
    """A labelled data set in a folder.

    Attributes:
        root: The folder.
        name: Short name, as in `load_source`.
        class_names: Names of the classes, by train id.
        palette: `(num_classes, 3)` uint8, the RGB colour that shows each class.
        label_lookup: `(256,)` uint8, from the id in a label file to the train id; 255 for ignored
            pixels, `NOT_ALLOWED` for ids that must not occur.
        label_colors: `None` if label files hold ids, else `(num_ids, 3)` uint8: label files are
            RGB, and the colour in row `i` means id `i`.
        ignore_label: Train id of ignored pixels.
        mean: Mean of the three channels for normalisation, for images scaled to [0, 1].
        std: Standard deviation of the three channels, for images scaled to [0, 1].
        has_files: True if every image and label is a separate file.
        max_megapixels: Larger images and labels are rejected before they are decoded.
    """

    name: str
    class_names: tuple[str, ...]
    palette: np.ndarray
    label_lookup: np.ndarray
    label_colors: np.ndarray | None = None
    ignore_label: int = IGNORE_LABEL
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    has_files: bool = False
    max_megapixels: int = MAX_MEGAPIXELS

    def __init__(self, root: str | pathlib.Path) -> None:
        self.root = pathlib.Path(root)
        if not self.root.is_dir():
            raise DataError(
                f"The folder {self.root} does not exist. Choose the folder that contains the "
                f"data set ({self.name})."
            )

    @property
    def num_classes(self) -> int:
        """Number of classes, without the ignored label."""
        return len(self.class_names)

    @property
    def classes(self) -> Classes:
        """Names, colours and ignored labels, as a network records them."""
        values = range(256) if self.label_colors is None else map(tuple, self.label_colors.tolist())
        return Classes(
            self.class_names,
            tuple(map(tuple, self.palette.tolist())),
            tuple(
                str(value)
                for value, train_id in zip(values, self.label_lookup.tolist(), strict=False)
                if train_id == self.ignore_label
            ),
        )

    @abc.abstractmethod
    def read(self, sample: Sample, *, downsample: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The image and the train ids of a sample, as from `image_files.read_sample`."""

    @abc.abstractmethod
    def read_label(self, sample: Sample) -> np.ndarray:
        """The train ids `(height, width)` uint8 of a sample. Raises as `read`."""

    @abc.abstractmethod
    def read_size(self, sample: Sample) -> tuple[int, int]:
        """Height and width of a sample, without decoding it. Raises as `read`."""

    @property
    @abc.abstractmethod
    def split_names(self) -> tuple[str, ...]:
        """Names of the splits in the folder, such as `("train", "val")`."""

    @abc.abstractmethod
    def _find_samples(self, split: str) -> Iterable[Sample]:
        """All pairs of one of `split_names`, in any order; their files may be missing."""

    def definition(self) -> dict[str, Any]:
        """The parts of the data set's definition that files in `root` decide, as JSON values.

        A run records it to detect later changes. It is empty if code alone defines the data set.
        """
        return {}

    def pairs(self, split: str) -> tuple[Sample, ...]:
        """Like `samples`, but includes images without labels.

        Use it to look for faults, or to read only images, such as those of a test split whose
        labels are not public.

        Raises:
            ValueError: The data set has no such split.
            DataError: The split has no images.
        """
        pairs: list[Sample] = []
        for part in self.parts(split):
            found = list(self._find_samples(part))
            if not found:
                others = list(self._find_passed_over(part))
                rest = f", only unsupported files such as {others[0]}" if others else ""
                raise DataError(f"{self.root} has no images in its split {part!r}{rest}.")
            pairs += found
        return tuple(sorted(pairs, key=lambda sample: (sample.image.name, sample.image)))

    def parts(self, split: str) -> list[str]:
        """The splits that `split` joins; only `split` itself if a split has that name."""
        if split in self.split_names:
            return [split]
        parts = (TRAIN_AND_VAL if split == "trainval" else split).split("+")
        for part, count in collections.Counter(parts).items():
            if part not in self.split_names:
                raise ValueError(
                    f"{self.root} has no split {part!r}; it has {', '.join(self.split_names)}."
                )
            if count > 1:
                raise ValueError(f"Each split can be joined only once. Received: {split!r}")
        return parts

    def samples(self, split: str) -> tuple[Sample, ...]:
        """The samples of `split`, sorted by the name of the image.

        Args:
            split: One of `split_names`, or several of them joined by "+", such as "train+val".
                "trainval" means the same, unless a split has that name.

        Raises:
            ValueError: The data set has no such split.
            DataError: The split has no images, or an image has no label.
        """
        samples = self.pairs(split)
        for sample in samples:
            sample.check_label()
        return samples

    @abc.abstractmethod
    def files(self, split: str) -> dict[str, pathlib.Path]:
        """The files of the samples of `split`, by their path relative to `root`.

        Raises:
            ValueError, DataError: See `samples`.
        """

    def orphan_labels(self, split: str) -> tuple[pathlib.Path, ...]:
        """The label files of `split` without an image, sorted; empty if the layout cannot tell."""
        found = {path for part in self.parts(split) for path in self._find_orphan_labels(part)}
        return tuple(sorted(found.difference(self._others_of_a_name(split))))

    def passed_over(self, split: str) -> tuple[pathlib.Path, ...]:
        """Files of `split` that look like images or labels but are not used, sorted.

        Their format is not supported, they are next to the split folders instead of in them, or
        another file with the same stem is used.
        """
        found = {path for part in self.parts(split) for path in self._find_passed_over(part)}
        return tuple(sorted(found.union(self._others_of_a_name(split))))

    def _others_of_a_name(self, split: str) -> Iterable[pathlib.Path]:
        """Files that are not used because another file with the same stem is used."""
        return ()

    def _find_passed_over(self, split: str) -> Iterable[pathlib.Path]:
        """Files of one of `split_names`, or of none, that look like data but are not used."""
        return ()

    def _find_orphan_labels(self, split: str) -> Iterable[pathlib.Path]:
        """Label files of one of `split_names` that belong to no image."""
        return ()


def make_label_lookup(train_ids: Mapping[int, int]) -> np.ndarray:
    """`(256,)` uint8 from raw id to train id; ids not in `train_ids` become `NOT_ALLOWED`."""
    lookup = np.full(256, NOT_ALLOWED, np.uint8)
    for raw_id, train_id in train_ids.items():
        lookup[raw_id] = train_id
    return lookup
