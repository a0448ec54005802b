"""A look into every file before the first step of a long run."""

import concurrent.futures

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.progress import progress_bar

# At 1/32 a smaller image would be less than a pixel.
SMALLEST = 32


def check_samples(source: SegmentationSource, split: str, *, progress: bool = True) -> int:
    """Opens every image and label of `split` once, several at a time.

    Args:
        source: The data set.
        split: One of its splits.
        progress: Whether to show a progress bar.

    Returns:
        The number of samples, all of which are good.

    Raises:
        ValueError: The data set has no such split.
        DataError: A sample is faulty or too small; the message names the file of the first such
            sample. Or all labels together have fewer than two classes.
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
            # Without this a fault in the first file would still cost reading all the others.
            threads.shutdown(wait=True, cancel_futures=True)
    check_present(present, source, split)
    return len(samples)


def check_smallest(sample: Sample, height: int, width: int) -> None:
    """Raises `DataError` if a side of the image, in pixels, is below `SMALLEST`."""
    if min(height, width) < SMALLEST:
        raise DataError(
            f"The image {sample.image} is {height} x {width} (height x width); the least is "
            f"{SMALLEST} x {SMALLEST}."
        )


def check_present(present: np.ndarray, source: SegmentationSource, split: str) -> None:
    """Raises `DataError` if fewer than two classes are `present`, `(num_classes,)` bool."""
    if np.sum(present) < 2:
        names = [repr(source.class_names[train_id]) for train_id in np.flatnonzero(present)]
        content = f"one class only, {names[0]}" if names else "ignored pixels only"
        raise DataError(
            f"The labels of the split {split!r} of {source.root} hold {content}; nothing can be "
            "told apart: check the ids in the label files, or give labels of two classes or more."
        )
