"""Checks every file before the first step of a long run."""

import concurrent.futures

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.progress import progress_bar

# At scale 1/32, a smaller image would have less than a pixel.
SMALLEST = 32


def check_samples(source: SegmentationSource, split: str, *, progress: bool = True) -> int:
    """Opens every image and label of `split` once, several in parallel.

    Args:
        source: The data set.
        split: One of its splits.
        progress: Whether to show a progress bar.

    Returns:
        The number of samples, none of them faulty.

    Raises:
        ValueError: The data set has no such split.
        DataError: A sample is faulty or too small; the message names the first such file. Or all
            labels together show fewer than two classes.
    """
    samples = source.samples(split)

    def classes_of(sample: Sample) -> np.ndarray:
        _, train_ids = source.read(sample)
        check_smallest(sample, *train_ids.shape)
        return np.bincount(train_ids.ravel(), minlength=256)[: source.num_classes] > 0

    present = np.zeros(source.num_classes, bool)

    with concurrent.futures.ThreadPoolExecutor(available_cores().reading_threads) as threads:
        checks = [threads.submit(classes_of, sample) for sample in samples]
        try:
            description = f"checking {source.name} {split}"
            for future in progress_bar(checks, description, unit="image", show=progress):
                present |= future.result()
        finally:
            # Otherwise a fault in the first file would still read all other files.
            threads.shutdown(wait=True, cancel_futures=True)
    check_present(present, source, split)
    return len(samples)


def check_smallest(sample: Sample, height: int, width: int) -> None:
    """Raises `DataError` if a side of the image is shorter than `SMALLEST` pixels."""
    if min(height, width) < SMALLEST:
        raise DataError(
            f"The image {sample.image} is {height} x {width} (height x width); it must be at least "
            f"{SMALLEST} x {SMALLEST}."
        )


def check_present(present: np.ndarray, source: SegmentationSource, split: str) -> None:
    """Raises `DataError` if fewer than two classes are `present`, `(num_classes,)` bool."""
    if np.sum(present) < 2:
        names = [repr(source.class_names[train_id]) for train_id in np.flatnonzero(present)]
        content = f"only one class, {names[0]}" if names else "only ignored pixels"
        raise DataError(
            f"The labels of the split {split!r} of {source.root} show {content}, but at least two "
            "classes are needed; check the ids in the label files, or give other labels."
        )
