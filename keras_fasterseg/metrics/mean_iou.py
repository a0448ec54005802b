"""Intersection over union of every class and their mean, from one confusion matrix."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any  # a tensor of the backend that Keras runs on

# A count is kept as high * 2**24 + low in two int32 variables: exact up to 2**55 pixels, where one
# int32 ends at 1,023 images of 1024 x 2048, and int64 is not to be had on every backend. 24 bits
# leave room for one batch of 2**31 - 2**24 pixels, and for the sum over 128 replicas.
_LOW_BITS = 24


@dataclasses.dataclass(frozen=True)
class IoUResult:
    """Intersection over union of a confusion matrix.

    Attributes:
        mean: Mean over the classes that are present, in [0, 1]; NaN if none is.
        per_class: Float64 array of shape `(classes,)`, in [0, 1]; NaN for a class that occurs
            neither in the labels nor in the predictions.
    """

    mean: float
    per_class: np.ndarray


def iou_from_confusion(confusion: np.ndarray) -> IoUResult:
    """The class IoU of the Cityscapes benchmark, `tp / (tp + fp + fn)`, and its mean.

    Args:
        confusion: Pixel counts of shape `(classes, classes)`: rows are labels, columns predictions.
            Ignored pixels are in no cell.

    Raises:
        ValueError: `confusion` is not a square matrix of counts.
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] or (confusion < 0).any():
        raise ValueError(
            "`confusion` must be a square matrix of pixel counts. "
            f"Received: shape={confusion.shape}, smallest value={confusion.min(initial=0)}"
        )
    # float64 is exact up to 2**53 pixels.
    intersection = np.diag(confusion).astype("float64")
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - intersection
    present = union > 0
    per_class = np.full(len(confusion), np.nan)
    per_class[present] = intersection[present] / union[present]
    mean = float(per_class[present].mean()) if present.any() else float("nan")
    return IoUResult(mean, per_class)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class MeanIoU(keras.metrics.Metric):
    """Mean intersection over union, with the classes' own values at hand.

    Equals `keras.metrics.MeanIoU(ignore_class=ignore_label)` and the class IoU of
    cityscapesscripts, and counts any number of pixels exactly.

    Args:
        num_classes: Number of classes; labels are `0 ... num_classes - 1`.
        ignore_label: Label of the pixels that are not counted.
        from_logits: Whether predictions are scores of shape `(batch, height, width, classes)`, of
            which the largest wins, or class indices of shape `(batch, height, width)`.
        name: Name of the metric.
        dtype: Floating dtype of `result()`.

    Raises:
        ValueError: `num_classes` is not positive or `ignore_label` is one of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        ignore_label: int = 255,
        from_logits: bool = True,
        name: str = "mean_iou",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if num_classes < 1:
            raise ValueError(f"`num_classes` must be at least 1. Received: {num_classes}")
        if 0 <= ignore_label < num_classes:
            raise ValueError(
                "`ignore_label` must be no class. "
                f"Received: ignore_label={ignore_label}, num_classes={num_classes}"
            )
        # Keras reads it to tell what "better" means, for instance to keep the best checkpoint.
        self._direction = "up"
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.from_logits = from_logits
        # Behind the cells of the matrix: pixels whose label or prediction is no class.
        shape = (num_classes * num_classes + 1,)
        self._low, self._high = (
            self.add_variable(shape=shape, initializer="zeros", dtype="int32", name=name)
            for name in ("counts_low", "counts_high")
        )

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: None = None) -> None:
        """Counts the pixels of a batch.

        Args:
            y_true: Labels of shape `(batch, height, width)`, or any other.
            y_pred: Predictions of the same shape, with `from_logits` one axis of classes more.
            sample_weight: Not supported; give pixels that must not count the ignore label.

        Raises:
            ValueError: The shapes do not fit or there is a `sample_weight`.
        """
        if sample_weight is not None:
            raise ValueError(
                "MeanIoU counts pixels and takes no `sample_weight`. Give pixels that must not "
                f"count the label {self.ignore_label}."
            )
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        self._check_shapes(tuple(y_true.shape), tuple(y_pred.shape))
        if self.from_logits:
            y_pred = ops.argmax(y_pred, axis=-1)
        counts = self._count(
            ops.reshape(ops.cast(y_true, "int32"), (-1,)),
            ops.reshape(ops.cast(y_pred, "int32"), (-1,)),
        )
        low = self._low + counts
        carry = ops.right_shift(low, _LOW_BITS)
        self._high.assign(self._high + carry)
        self._low.assign(low - ops.left_shift(carry, _LOW_BITS))

    def _check_shapes(self, labels: tuple, predictions: tuple) -> None:
        expected = (*labels, self.num_classes) if self.from_logits else labels
        fits = len(expected) == len(predictions) and all(
            None in pair or pair[0] == pair[1] for pair in zip(expected, predictions, strict=True)
        )
        if not fits:
            raise ValueError(
                f"Labels of shape {labels} need predictions of shape {expected} "
                f"(from_logits={self.from_logits}, num_classes={self.num_classes}). "
                f"Received: predictions of shape {predictions}. "
                "Resize the predictions to the labels, or change `from_logits`."
            )

    def _count(self, labels: Tensor, predictions: Tensor) -> Tensor:
        """How many of the pixels fall into each cell, with one cell more for strange ones."""
        classes = self.num_classes
        known = ops.logical_and(self._is_class(labels), self._is_class(predictions))
        cell = ops.where(known, labels * classes + predictions, classes * classes)
        valid = ops.not_equal(labels, self.ignore_label)
        # One number a pixel, where a product of one-hot vectors would take 2 * classes. A segment
        # sum, because `ops.bincount` compiles neither with XLA nor with JAX; uncompiled it takes
        # .07 s, not .006, for two images of 1024 x 2048 on two CPU cores: little beside a network.
        return ops.segment_sum(ops.cast(valid, "int32"), cell, num_segments=classes * classes + 1)

    def _is_class(self, indices: Tensor) -> Tensor:
        return ops.logical_and(indices >= 0, indices < self.num_classes)

    def result(self) -> Tensor:
        """The mean as a scalar tensor; NaN while no pixel was counted."""
        # float32 is inexact only relatively, 1e-7 of each count; `per_class` is float64.
        counts = ops.cast(self._high, "float32") * 2.0**_LOW_BITS + ops.cast(self._low, "float32")
        confusion = ops.reshape(counts[:-1], (self.num_classes, self.num_classes))
        intersection = ops.diagonal(confusion)
        union = ops.sum(confusion, axis=0) + ops.sum(confusion, axis=1) - intersection
        present = ops.cast(union > 0, "float32")
        iou = intersection / ops.maximum(union, 1.0)
        return ops.cast(ops.sum(iou * present) / ops.sum(present), self.dtype)

    def confusion(self) -> np.ndarray:
        """The pixel counts: int64 of shape `(classes, classes)`, rows are labels.

        Raises:
            ValueError: Pixels were seen whose label is neither a class nor the ignore label, or
                whose prediction is no class.
        """
        low, high = (
            ops.convert_to_numpy(variable).astype("int64") for variable in (self._low, self._high)
        )
        counts = (high << _LOW_BITS) + low
        if counts[-1]:
            raise ValueError(
                f"{counts[-1]} pixels have a label or a prediction that is neither one of the "
                f"{self.num_classes} classes nor, as label, {self.ignore_label}. Convert the label "
                "files to training ids first, or check `num_classes`."
            )
        return counts[:-1].reshape(self.num_classes, self.num_classes)

    def per_class(self) -> np.ndarray:
        """Float64 IoU of shape `(classes,)`, NaN for classes absent from labels and predictions.

        Raises:
            ValueError: As `confusion`.
        """
        return iou_from_confusion(self.confusion()).per_class

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_label": self.ignore_label,
            "from_logits": self.from_logits,
        }
