"""How often each class occurs, and what a predictor scores that knows nothing else."""

import concurrent.futures
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.source import Sample, SegmentationSource


def label_histogram(samples: Sequence[Sample], source: SegmentationSource) -> np.ndarray:
    """Pixels of each class over all labels of `samples`, ignored ones left out.

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
    """Train id of the most frequent class in `histogram` `(num_classes,)`; the first of equals.

    Raises:
        ValueError: The histogram is empty or has no pixel.
    """
    if np.sum(histogram) <= 0:
        raise ValueError(f"The histogram holds no labelled pixel, received {histogram}.")
    return int(np.argmax(histogram))


def constant_predictor_miou(histogram: np.ndarray, train_id: int | None = None) -> float:
    """mIoU in [0, 1] of a predictor that gives every pixel one class.

    Its IoU for that class is the class's share of the labelled pixels, and 0 for the others. As
    in `keras.metrics.MeanIoU`, classes that are neither labelled nor predicted do not count.

    Args:
        histogram: `(num_classes,)` labelled pixels of each class.
        train_id: The class it predicts; the most frequent one by default.

    Raises:
        ValueError: The histogram has no pixel.
    """
    most_frequent = constant_predictor_class(histogram)
    predicted = most_frequent if train_id is None else train_id
    counted = np.asarray(histogram) > 0
    counted[predicted] = True
    return float(histogram[predicted] / np.sum(histogram) / np.sum(counted))
