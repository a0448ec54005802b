"""Job: inspect an entire data set before training on it."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.label_encodings import check_label_encodings
from keras_fasterseg.data.shared_images import FilesBySplit, shared_images
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.data.split_inspection import SplitInspection, inspect_split
from keras_fasterseg.reports.suggested_settings import SuggestedSettings, suggest_settings
from keras_fasterseg.run.class_weights import HISTOGRAM
from keras_fasterseg.run.dataset_warnings import (
    passed_over_sentences,
    shared_image_sentences,
)
from keras_fasterseg.setting import require
from keras_fasterseg.wording import counted, few

# Ratio of the most frequent to the rarest class above which a warning is given.
_IMBALANCE = 100


@dataclasses.dataclass(frozen=True)
class DatasetInspection:
    """Contents and faults of a data set, and settings that suit it.

    Attributes:
        dataset: Name of the data set.
        root: Its folder.
        splits: The inspected splits; the first is the one to train on.
        shared_images: Images that occur, with identical bytes, in more than one split.
        label_problem: A sentence if the labels are encoded inconsistently; otherwise `None`.
    """

    dataset: str
    root: pathlib.Path
    splits: tuple[SplitInspection, ...]
    shared_images: list[FilesBySplit]
    label_problem: str | None = None

    @property
    def faulty_files(self) -> tuple[pathlib.Path, ...]:
        """Files that cannot be used for training, without duplicates."""
        faults = (fault for split in self.splits for fault in split.faults)
        return tuple(dict.fromkeys(fault.file for fault in faults))

    @property
    def is_trainable(self) -> bool:
        """True if the data set has no fault that stops a run before its first step."""
        problems = (self.label_problem, *(split.problem for split in self.splits))
        return not self.faulty_files and not any(problems)

    def verdict(self) -> str:
        """States in one sentence whether the data set can be used for training, or why not."""
        if self.is_trainable:
            return f"{self.root} can be used for training."
        reasons = [counted(len(self.faulty_files), "faulty file")] if self.faulty_files else []
        reasons += [f"the split {split.name} is unusable" for split in self.splits if split.problem]
        if self.label_problem:
            reasons.append("its labels are encoded inconsistently")
        return f"{self.root} cannot be used for training: {'; '.join(reasons)}."

    def warnings(self) -> tuple[str, ...]:
        """Returns warnings about anything that does not stop a run but may spoil its result."""
        return (
            *self._passed_over(),
            *self._orphan_labels(),
            *shared_image_sentences(self.shared_images),
            *self._ignored(),
            *self._missing_classes(),
            *self._imbalance(),
        )

    def suggestions(self) -> SuggestedSettings | None:
        """Suggests settings for the first split; `None` if none of its images can be read."""
        split = self.splits[0]
        return suggest_settings(split.sizes, split.class_pixels) if split.sizes else None

    def to_json(self) -> dict[str, Any]:
        """Returns the complete inspection, with all faulty files, as JSON values."""
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
            "label_problem": self.label_problem,
            "warnings": list(self.warnings()),
            "suggestions": suggestions and suggestions.to_json(),
        }

    def _passed_over(self) -> Iterator[str]:
        for split in self.splits:
            yield from passed_over_sentences(split.name, split.passed_over)

    def _orphan_labels(self) -> Iterator[str]:
        for split in self.splits:
            if split.orphan_labels:
                labels = counted(len(split.orphan_labels), "label")
                yield f"{labels} without an image in {split.name}: {few(split.orphan_labels)}."

    def _ignored(self) -> Iterator[str]:
        for split in self.splits:
            void, mostly = split.void_labels, split.mostly_ignored_labels
            if void:
                labels = counted(len(void), "label")
                yield (
                    f"{labels} with every pixel ignored, useless for training, in {split.name}: "
                    f"{few(void)}."
                )
            if mostly and split.wholly_labelled:
                labels, others = counted(len(mostly), "label"), len(split.wholly_labelled)
                yield (
                    f"{labels} with at least half of the pixels ignored in {split.name}, compared "
                    f"with {others:,} with none: {few(mostly)}. If those pixels show a class, they "
                    "are neither trained on nor scored."
                )

    def _missing_classes(self) -> Iterator[str]:
        for split in self.splits:
            missing = np.flatnonzero(split.class_images == 0)
            if np.any(split.class_images) and len(missing):
                names = ", ".join(split.class_names[train_id] for train_id in missing)
                yield f"Missing from the labels of {split.name}: {names}."

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
                f"times as many pixels as {split.class_names[rarest]}; if rare classes matter, set "
                f"--student_class_weights={HISTOGRAM}."
            )


def inspect_dataset(
    source: SegmentationSource, splits: Sequence[str], *, progress: bool = True
) -> DatasetInspection:
    """Opens every image and label of `splits` once and continues after faults.

    Args:
        source: The data set.
        splits: Names of splits, the one to train on first.
        progress: Whether to show progress bars.

    Raises:
        ValueError: No split is named, or the data set was converted.
    """
    require(
        source.has_files,
        f"{source.root} is a converted data set, and only data sets without faults are converted. "
        "Inspect the original files, or verify the conversion with "
        "`tools.convert_dataset --verify`.",
    )
    require(len(splits) > 0, "No split is named; name at least one, such as train.")
    inspections = tuple(
        inspect_split(source, split, progress=progress) for split in dict.fromkeys(splits)
    )
    readable = {
        each.name: [sample.sample.image for sample in each.samples if sample.size is not None]
        for each in inspections
    }
    pairs = [sample.sample for each in inspections for sample in each.samples]
    label_problem = None
    try:
        check_label_encodings(source, pairs)
    except DataError as error:
        label_problem = str(error)
    shared = shared_images(readable)
    return DatasetInspection(source.name, source.root, inspections, shared, label_problem)
