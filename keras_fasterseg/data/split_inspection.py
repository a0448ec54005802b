"""Contents and faults of all files of a split."""

import collections
import concurrent.futures
import dataclasses
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.check_samples import check_present
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.sample_inspection import (
    Fault,
    LabelValue,
    SampleInspection,
    inspect_sample,
)
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.progress import progress_bar

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class SplitInspection:
    """Contents and faults of a split. Unreadable files are left out of all counts.

    Attributes:
        name: Name of the split.
        class_names: Names of the classes, by train id.
        samples: Its images and labels, missing labels included.
        orphan_labels: Labels without an image.
        passed_over: Files that look like images or labels but are not used.
        problem: A sentence that says why the split is unusable: it does not exist, is empty, or
            its labels show fewer than two classes. `None` if it is usable.
    """

    name: str
    class_names: tuple[str, ...]
    samples: tuple[SampleInspection, ...]
    orphan_labels: tuple[pathlib.Path, ...]
    passed_over: tuple[pathlib.Path, ...]
    problem: str | None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All faults, in the order of the samples."""
        return tuple(fault for each in self.samples for fault in each.faults)

    @property
    def sizes(self) -> dict[tuple[int, int], int]:
        """Number of images of each height and width, the most frequent first."""
        return _frequencies(each.size for each in self.samples)

    @property
    def image_modes(self) -> dict[str, int]:
        """Number of images in each Pillow mode, the most frequent first."""
        return _frequencies(each.image_mode for each in self.samples)

    @property
    def label_modes(self) -> dict[str, int]:
        """Number of labels in each Pillow mode, the most frequent first."""
        return _frequencies(each.label_mode for each in self.samples)

    @property
    def class_pixels(self) -> np.ndarray:
        """Number of pixels of each class, `(num_classes,)` int64."""
        start = np.zeros(len(self.class_names), np.int64)
        return sum((each.class_pixels for each in self.samples), start)

    @property
    def class_images(self) -> np.ndarray:
        """Number of labels that show each class, `(num_classes,)` int64."""
        start = np.zeros(len(self.class_names), np.int64)
        return sum((each.class_pixels > 0 for each in self.samples), start)

    @property
    def class_shares(self) -> np.ndarray:
        """Share of each class in the labelled pixels, `(num_classes,)`; 0 without such pixels."""
        pixels = self.class_pixels
        return pixels / max(np.sum(pixels), 1)

    @property
    def ignored_pixels(self) -> int:
        """Number of ignored pixels in the labels."""
        return sum(each.ignored_pixels for each in self.samples)

    @property
    def ignored_share(self) -> float:
        """Share of ignored pixels among labelled and ignored ones; 0 without such pixels."""
        ignored = self.ignored_pixels
        return ignored / max(ignored + int(np.sum(self.class_pixels)), 1)

    @property
    def void_labels(self) -> tuple[pathlib.Path, ...]:
        """Labels with only ignored pixels, which contribute nothing to training."""
        return self._ignoring(lambda share: share == 1)

    @property
    def mostly_ignored_labels(self) -> tuple[pathlib.Path, ...]:
        """Labels with at least half of their pixels ignored, but not all."""
        return self._ignoring(lambda share: 0.5 <= share < 1)

    @property
    def wholly_labelled(self) -> tuple[pathlib.Path, ...]:
        """Labels without ignored pixels."""
        return self._ignoring(lambda share: share == 0)

    def _ignoring(self, is_such: Callable[[float], bool]) -> tuple[pathlib.Path, ...]:
        return tuple(
            each.sample.label
            for each in self.samples
            if each.ignored_share is not None and is_such(each.ignored_share)
        )

    @property
    def unknown_pixels(self) -> int:
        """Number of pixels with values that labels must not hold."""
        return sum(each.unknown_pixels for each in self.samples)

    @property
    def unknown(self) -> dict[LabelValue, dict[pathlib.Path, int]]:
        """Number of pixels per label file, for each value that labels must not hold.

        The value with the most pixels comes first.
        """
        files = collections.defaultdict(dict)
        for each in self.samples:
            for value, pixels in each.unknown.items():
                files[value][each.sample.label] = pixels
        return dict(sorted(files.items(), key=lambda item: -sum(item[1].values())))

    def to_json(self) -> dict[str, Any]:
        """The inspection as plain values."""
        columns = (self.class_pixels, self.class_shares, self.class_images)
        rows = zip(self.class_names, *(column.tolist() for column in columns), strict=True)
        return {
            "images": len(self.samples),
            "problem": self.problem,
            "sizes": [
                {"height": height, "width": width, "images": count}
                for (height, width), count in self.sizes.items()
            ],
            "image_modes": self.image_modes,
            "label_modes": self.label_modes,
            "classes": [
                {"name": name, "pixels": pixels, "share": share, "images": images}
                for name, pixels, share, images in rows
            ],
            "ignored_pixels": self.ignored_pixels,
            "ignored_share": self.ignored_share,
            "unknown_pixels": self.unknown_pixels,
            "unknown_values": [
                {
                    "value": value,
                    "pixels": sum(files.values()),
                    "files": {str(file): pixels for file, pixels in files.items()},
                }
                for value, files in self.unknown.items()
            ],
            "faults": [fault.to_json() for fault in self.faults],
            "labels_without_image": [str(path) for path in self.orphan_labels],
            "not_taken": [str(path) for path in self.passed_over],
            "void_labels": [str(path) for path in self.void_labels],
            "mostly_ignored_labels": [str(path) for path in self.mostly_ignored_labels],
        }


def inspect_split(
    source: SegmentationSource, split: str, *, progress: bool = True
) -> SplitInspection:
    """Decodes every image and every label of a split once, several in parallel.

    Args:
        source: The data set.
        split: Name of the split. If it does not exist, the result reports this as its problem.
        progress: Whether to show a progress bar.
    """
    pairs, orphan_labels, passed_over, problem = (), (), (), None
    try:
        passed_over = source.passed_over(split)
        pairs = source.pairs(split)
        orphan_labels = source.orphan_labels(split)
    except ValueError as error:
        problem = str(error)
    with concurrent.futures.ThreadPoolExecutor(available_cores().reading_threads) as threads:
        found = threads.map(lambda pair: inspect_sample(pair, source), pairs)
        description = f"inspecting {source.name} {split}"
        samples = tuple(
            progress_bar(found, description, unit="image", total=len(pairs), show=progress)
        )
    inspection = SplitInspection(
        split, source.class_names, samples, orphan_labels, passed_over, problem
    )
    # If no label could be read, that is the fault, not a lack of classes.
    if inspection.label_modes:
        try:
            check_present(inspection.class_images > 0, source, split)
        except DataError as error:
            return dataclasses.replace(inspection, problem=str(error))
    return inspection


def _frequencies(values: Iterable[Value | None]) -> dict[Value, int]:
    counter = collections.Counter(value for value in values if value is not None)
    return dict(counter.most_common())
