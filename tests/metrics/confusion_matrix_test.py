import numpy as np
import pytest

from keras_fasterseg.metrics.confusion_matrix import confusion_of


def test_confusion_equals_a_loop():
    generator = np.random.default_rng(3)
    labels = generator.choice([0, 1, 2, 255], (2, 7, 5)).astype(np.uint8)
    predictions = generator.integers(0, 3, labels.shape).astype(np.uint8)
    expected = np.zeros((3, 3), np.int64)
    for label, prediction in zip(labels.ravel(), predictions.ravel(), strict=True):
        if label != 255:
            expected[label, prediction] += 1
    np.testing.assert_array_equal(confusion_of(labels, predictions, 3), expected)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 3], [0, 1], r"Labels must be in \[0, 3\).* from 0 to 3"),
        ([0, -1], [0, 1], r"Labels must be in \[0, 3\).* from -1 to 0"),
        ([0, 1], [0, 3], r"Predictions must be in \[0, 3\)"),
        ([0, 1], [0, 1, 2], "the same shape"),
    ],
)
def test_labels_and_predictions_that_do_not_fit_are_refused(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        confusion_of(np.array(labels), np.array(predictions), 3)
