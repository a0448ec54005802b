"""Confusion matrix: pixel counts by true and predicted class."""

import numpy as np

IGNORE_LABEL = 255


def confusion_of(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int, ignore_label: int = IGNORE_LABEL
) -> np.ndarray:
    """Counts pixels by true and predicted class.

    Args:
        labels: Integers of any shape, in [0, num_classes) or `ignore_label`.
        predictions: Integers of the same shape, in [0, num_classes).
        num_classes: Number of classes.
        ignore_label: The label of pixels that do not count.

    Returns:
        int64 matrix of shape `(num_classes, num_classes)`: rows are true classes, columns are
        predicted classes.

    Raises:
        ValueError: The shapes differ, or a class is not in [0, num_classes).
    """
    if labels.shape != predictions.shape:
        raise ValueError(
            f"Labels and predictions must have the same shape. Received: labels {labels.shape}, "
            f"predictions {predictions.shape}"
        )
    counted = labels != ignore_label
    true = labels[counted].astype(np.int64)
    predicted = predictions[counted].astype(np.int64)
    allowed = f"in [0, {num_classes})"
    for demand, classes in (
        (f"Labels must be {allowed} or {ignore_label}", true),
        (f"Predictions must be {allowed}", predicted),
    ):
        if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
            raise ValueError(
                f"{demand}. Received: values from "
                f"{classes.min()} to {classes.max()}; check the label map and `num_classes`."
            )
    counts = np.bincount(num_classes * true + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)
