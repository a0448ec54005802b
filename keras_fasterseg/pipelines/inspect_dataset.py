"""Job: look through a whole data set before anything is trained on it."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.data.shared_images import FilesBySplit, shared_images
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.data.split_inspection import SplitInspection, inspect_split
from keras_fasterseg.pipelines.class_weights import HISTOGRAM
from keras_fasterseg.pipelines.settings import require
from keras_fasterseg.pipelines.suggested_settings import SuggestedSettings, suggest_settings

# How many files a sentence for people names; JSON names all.
FEW = 3
# How many times as frequent another class may be before the rarest is warned of.
_IMBALANCE = 100


@dataclasses.dataclass(frozen=True)
class DatasetInspection:
    """What a data set holds, what is wrong with it, and what it suggests to set.

    Attributes:
        dataset: Name of the data set.
        root: Its folder.
        splits: The splits that were looked at; the first is the one to train on.
        shared_images: Images that more than one split has, byte for byte.
    """

    dataset: str
    root: pathlib.Path
    splits: tuple[SplitInspection, ...]
    shared_images: list[FilesBySplit]

    @property
    def faulty_files(self) -> tuple[pathlib.Path, ...]:
        """Files that cannot be trained on, each once."""
        faults = (fault for split in self.splits for fault in split.faults)
        return tuple(dict.fromkeys(fault.file for fault in faults))

    @property
    def is_trainable(self) -> bool:
        """Whether there is no fault that would stop a run before its first step."""
        return not self.faulty_files and all(split.problem is None for split in self.splits)

    def verdict(self) -> str:
        """One sentence: whether the data set can be trained on, and if not what is against it."""
        if self.is_trainable:
            return f"{self.root} can be trained on."
        reasons = [counted(len(self.faulty_files), "faulty file")] if self.faulty_files else []
        reasons += [
            f"the split {split.name} is of no use" for split in self.splits if split.problem
        ]
        return f"{self.root} cannot be trained on: {'; '.join(reasons)}."

    def warnings(self) -> tuple[str, ...]:
        """Sentences on what does not stop a run, but may spoil its result."""
        return (
            *self._orphan_labels(),
            *self._shared_images(),
            *self._missing_classes(),
            *self._imbalance(),
        )

    def suggestions(self) -> SuggestedSettings | None:
        """What suits the images of the first split; `None` if none of them can be read."""
        split = self.splits[0]
        return suggest_settings(split.sizes, split.class_pixels) if split.sizes else None

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, every faulty file included."""
        suggestions = self.suggestions()
        return {
            "dataset": self.dataset,
            "root": str(self.root),
            "trainable": self.is_trainable,
            "verdict": self.verdict(),
            "faulty_files": [str(path) for path in self.faulty_files],
            "splits": {split.name: split.to_json() for split in self.splits},
            "shared_images": [
                {split: [str(path) for path in paths] for split, paths in group.items()}
                for group in self.shared_images
            ],
            "warnings": list(self.warnings()),
            "suggestions": suggestions and suggestions.to_json(),
        }

    def _orphan_labels(self) -> Iterator[str]:
        for split in self.splits:
            if split.orphan_labels:
                labels = counted(len(split.orphan_labels), "label")
                yield f"{labels} of {split.name} without an image: {few(split.orphan_labels)}."

    def _shared_images(self) -> Iterator[str]:
        if self.shared_images:
            images = counted(len(self.shared_images), "image")
            groups = [
                " = ".join(str(path) for paths in group.values() for path in paths[:1])
                for group in self.shared_images
            ]
            yield (
                f"{images} in more than one split, byte for byte, so that scores are of what was "
                f"trained on: {few(groups)}."
            )

    def _missing_classes(self) -> Iterator[str]:
        for split in self.splits:
            missing = np.flatnonzero(split.class_images == 0)
            if np.any(split.class_images) and len(missing):
                names = ", ".join(split.class_names[train_id] for train_id in missing)
                yield f"Never in the labels of {split.name}: {names}."

    def _imbalance(self) -> Iterator[str]:
        split = self.splits[0]
        pixels = split.class_pixels
        if not np.any(pixels):
            return
        rarest = int(np.argmin(np.where(pixels > 0, pixels, np.iinfo(pixels.dtype).max)))
        ratio = int(np.max(pixels)) / int(pixels[rarest])
        if ratio > _IMBALANCE:
            yield (
                f"In {split.name}, {split.class_names[int(np.argmax(pixels))]} has {ratio:,.0f} "
                f"times the pixels of {split.class_names[rarest]}; if such classes matter, set "
                f"--student_class_weights={HISTOGRAM}."
            )


def inspect_dataset(
    source: SegmentationSource, splits: Sequence[str], *, progress: bool = True
) -> DatasetInspection:
    """Opens every image and label of `splits` once and goes on after faults.

    Args:
        source: The data set.
        splits: Names of splits, the one to train on first.
        progress: Whether there are progress bars.

    Raises:
        ValueError: No split is named, or the data set was converted.
    """
    require(
        source.has_files,
        f"{source.root} is converted, which only a data set without faults is; inspect the files "
        "that it was made of, and verify the conversion by `tools.convert_dataset --verify`.",
    )
    require(len(splits) > 0, "Name a split at least, such as train.")
    inspections = tuple(
        inspect_split(source, split, progress=progress) for split in dict.fromkeys(splits)
    )
    readable = {
        each.name: [sample.sample.image for sample in each.samples if sample.size is not None]
        for each in inspections
    }
    return DatasetInspection(source.name, source.root, inspections, shared_images(readable))


def counted(count: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def few(names: Sequence[object]) -> str:
    """The first names, and how many there are besides."""
    rest = len(names) - FEW
    return ", ".join(map(str, names[:FEW])) + (f" and {rest:,} more" if rest > 0 else "")
