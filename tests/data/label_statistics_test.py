import keras
import numpy as np
import pytest

from keras_fasterseg.data.label_statistics import (
    constant_predictor_class,
    constant_predictor_miou,
    label_histogram,
)

LABELS = [
    np.array([[0, 1, 1], [3, 3, 3]], np.uint8),
    np.array([[11, 11, 0], [3, 1, 10]], np.uint8),
]


def test_histogram_counts_all_files_without_void(make_camvid):
    source = make_camvid([(np.zeros((2, 3, 3), np.uint8), label) for label in LABELS])

    histogram = label_histogram(source.samples("train"), source)

    np.testing.assert_array_equal(histogram, [2, 3, 0, 4, 0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize("train_id", [None, 1, 2])
def test_constant_predictor_scores_as_keras_says(train_id):
    histogram = np.array([2, 3, 0, 4, 0, 0, 0, 0, 0, 0, 1])
    labels = np.repeat(np.arange(11), histogram)
    predicted = constant_predictor_class(histogram) if train_id is None else train_id
    metric = keras.metrics.MeanIoU(num_classes=11)
    metric.update_state(labels, np.full_like(labels, predicted))

    assert constant_predictor_miou(histogram, train_id) == pytest.approx(float(metric.result()))


def test_most_frequent_class():
    assert constant_predictor_class(np.array([2, 3, 0, 4])) == 3


def test_histogram_without_pixels_is_refused():
    with pytest.raises(ValueError, match="has no labelled pixels"):
        constant_predictor_class(np.zeros(3))
