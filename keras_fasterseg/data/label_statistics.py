"""Class frequencies, and the mIoU of a predictor that uses nothing else."""

import concurrent.futures
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.source import Sample, SegmentationSource


def label_histogram(samples: Sequence[Sample], source: SegmentationSource) -> np.ndarray:
    """Counts the pixels of each class over all labels of `samples`, without ignored pixels.

    Returns:
        `(num_classes,)` int64.

    Raises:
        DataError: A label cannot be read or holds an id that is not allowed.
    """

    def count(sample: Sample) -> np.ndarray:
        train_ids = source.read_label(sample).ravel()
        return np.bincount(train_ids, minlength=256)[: source.num_classes]

    with concurrent.futures.ThreadPoolExecutor(available_cores().reading_threads) as threads:
        return sum(threads.map(count, samples), np.zeros(source.num_classes, np.int64))


def constant_predictor_class(histogram: np.ndarray) -> int:
    """Train id of the most frequent class in `histogram` `(num_classes,)`; the first if tied.

    Raises:
        ValueError: The histogram is empty or has no pixel.
    """
    if np.sum(histogram) <= 0:
        raise ValueError(f"The histogram has no labelled pixels. Received: {histogram}")
    return int(np.argmax(histogram))


def constant_predictor_miou(histogram: np.ndarray, train_id: int | None = None) -> float:
    """mIoU in [0, 1] of a predictor that assigns one class to every pixel.

    The IoU of that class is its share of the labelled pixels; the IoU of every other class is 0.
    As in `keras.metrics.MeanIoU`, classes that are neither labelled nor predicted do not count.

    Args:
        histogram: `(num_classes,)` labelled pixels of each class.
        train_id: The predicted class. Default: the most frequent class.

    Raises:
        ValueError: The histogram has no labelled pixels.
    """
    most_frequent = constant_predictor_class(histogram)
    predicted = most_frequent if train_id is None else train_id
    counted = np.asarray(histogram) > 0
    counted[predicted] = True
    return float(histogram[predicted] / np.sum(histogram) / np.sum(counted))
