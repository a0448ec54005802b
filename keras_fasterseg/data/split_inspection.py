"""What all the files of a split hold, and every fault in them."""

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
    """What the files of a split hold. Files that cannot be read do not count in the numbers.

    Attributes:
        name: Name of the split.
        class_names: Names of the classes, by train id.
        samples: Its images and labels, missing labels included.
        orphan_labels: Labels without an image.
        passed_over: Files that look like images or labels and are not taken.
        problem: Why it is of no use as a whole, in a sentence: it is not there, is empty, or its
            labels show less than two classes; else `None`.
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
        """How many images there are of each height and width, the most frequent first."""
        return _frequencies(each.size for each in self.samples)

    @property
    def image_modes(self) -> dict[str, int]:
        """How many images there are of each of Pillow's modes, the most frequent first."""
        return _frequencies(each.image_mode for each in self.samples)

    @property
    def label_modes(self) -> dict[str, int]:
        """How many labels there are of each of Pillow's modes, the most frequent first."""
        return _frequencies(each.label_mode for each in self.samples)

    @property
    def class_pixels(self) -> np.ndarray:
        """`(num_classes,)` int64: the pixels of each class."""
        start = np.zeros(len(self.class_names), np.int64)
        return sum((each.class_pixels for each in self.samples), start)

    @property
    def class_images(self) -> np.ndarray:
        """`(num_classes,)` int64: the labels in which each class occurs."""
        start = np.zeros(len(self.class_names), np.int64)
        return sum((each.class_pixels > 0 for each in self.samples), start)

    @property
    def class_shares(self) -> np.ndarray:
        """`(num_classes,)`: the share of each class in the labelled pixels; 0 if there are none."""
        pixels = self.class_pixels
        return pixels / max(np.sum(pixels), 1)

    @property
    def ignored_pixels(self) -> int:
        """How many pixels of the labels are ignored."""
        return sum(each.ignored_pixels for each in self.samples)

    @property
    def ignored_share(self) -> float:
        """The share of ignored pixels in the labelled and the ignored ones; 0 if there are none."""
        ignored = self.ignored_pixels
        return ignored / max(ignored + int(np.sum(self.class_pixels)), 1)

    @property
    def void_labels(self) -> tuple[pathlib.Path, ...]:
        """The labels whose every pixel is ignored, which nothing can be learned from."""
        return self._ignoring(lambda share: share == 1)

    @property
    def mostly_ignored_labels(self) -> tuple[pathlib.Path, ...]:
        """The labels that ignore half of their pixels or more, but not all."""
        return self._ignoring(lambda share: 0.5 <= share < 1)

    @property
    def wholly_labelled(self) -> tuple[pathlib.Path, ...]:
        """The labels that ignore no pixel."""
        return self._ignoring(lambda share: share == 0)

    def _ignoring(self, is_such: Callable[[float], bool]) -> tuple[pathlib.Path, ...]:
        return tuple(
            each.sample.label
            for each in self.samples
            if each.ignored_share is not None and is_such(each.ignored_share)
        )

    @property
    def unknown_pixels(self) -> int:
        """How many pixels hold what labels must not hold."""
        return sum(each.unknown_pixels for each in self.samples)

    @property
    def unknown(self) -> dict[LabelValue, dict[pathlib.Path, int]]:
        """For every value that labels must not hold, how many pixels each label has of it.

        The value of the most pixels comes first.
        """
        files = collections.defaultdict(dict)
        for each in self.samples:
            for value, pixels in each.unknown.items():
                files[value][each.sample.label] = pixels
        return dict(sorted(files.items(), key=lambda item: -sum(item[1].values())))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
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
    """Decodes every image and every label of a split once, several at a time.

    Args:
        source: The data set.
        split: Name of the split; one that is not there is a problem of it and not an error.
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
    # Where no label could be read, that is the fault, and not what the labels show.
    if inspection.label_modes:
        try:
            check_present(inspection.class_images > 0, source, split)
        except DataError as error:
            return dataclasses.replace(inspection, problem=str(error))
    return inspection


def _frequencies(values: Iterable[Value | None]) -> dict[Value, int]:
    counter = collections.Counter(value for value in values if value is not None)
    return dict(counter.most_common())
