"""Intersection over union per class and its mean, from one confusion matrix."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any  # a tensor of the backend that Keras runs on

# Two int32 variables store a count as high * 2**24 + low, exact up to 2**55 pixels. One int32
# ends at 1,023 images of 1024 x 2048, and some backends lack int64. 24 bits leave room for one
# batch of 2**31 - 2**24 pixels, and for the sum over 128 replicas.
_LOW_BITS = 24


@dataclasses.dataclass(frozen=True)
class IoUResult:
    """Intersection over union of a confusion matrix.

    Attributes:
        mean: Mean over the classes present, in [0, 1]; NaN if none is.
        per_class: Float64 array of shape `(classes,)`, in [0, 1]; NaN for classes absent from both
            labels and predictions.
    """

    mean: float
    per_class: np.ndarray


def iou_from_confusion(confusion: np.ndarray) -> IoUResult:
    """The class IoU of the Cityscapes benchmark, `tp / (tp + fp + fn)`, and its mean.

    Args:
        confusion: Pixel counts of shape `(classes, classes)`: rows are labels, columns predictions.
            Ignored pixels are not counted.

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
    """Mean intersection over union, which also provides the IoU of each class.

    It equals `keras.metrics.MeanIoU(ignore_class=ignore_label)` and the class IoU of
    cityscapesscripts, and counts up to 2**55 pixels exactly.

    Args:
        num_classes: Number of classes; labels are `0 ... num_classes - 1`.
        ignore_label: Label of pixels that do not count.
        from_logits: True if predictions are scores of shape `(batch, height, width, classes)`, of
            which the largest wins; False for class indices of shape `(batch, height, width)`.
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
                "`ignore_label` must not be a class. "
                f"Received: ignore_label={ignore_label}, num_classes={num_classes}"
            )
        # Tells Keras that higher is better, for instance to keep the best checkpoint.
        self._direction = "up"
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.from_logits = from_logits
        # One more cell than the matrix, for pixels whose label or prediction is not a class.
        shape = (num_classes * num_classes + 1,)
        self._low, self._high = (
            self.add_variable(shape=shape, initializer="zeros", dtype="int32", name=name)
            for name in ("counts_low", "counts_high")
        )

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: None = None) -> None:
        """Counts the pixels of a batch.

        Args:
            y_true: Labels of shape `(batch, height, width)`, or any other shape.
            y_pred: Predictions of the same shape, plus a last axis of classes with `from_logits`.
            sample_weight: Not supported; use the ignore label for pixels that must not count.

        Raises:
            ValueError: The shapes do not match, or `sample_weight` is given.
        """
        if sample_weight is not None:
            raise ValueError(
                "MeanIoU counts pixels and does not accept `sample_weight`. Use the label "
                f"{self.ignore_label} for pixels that must not count."
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
                f"Labels of shape {labels} require predictions of shape {expected} "
                f"(from_logits={self.from_logits}, num_classes={self.num_classes}). "
                f"Received: predictions of shape {predictions}. "
                "Resize the predictions to the labels, or change `from_logits`."
            )

    def _count(self, labels: Tensor, predictions: Tensor) -> Tensor:
        """Pixel count of each cell, plus one for pixels with an unknown label or prediction."""
        classes = self.num_classes
        known = ops.logical_and(self._is_class(labels), self._is_class(predictions))
        cell = ops.where(known, labels * classes + predictions, classes * classes)
        valid = ops.not_equal(labels, self.ignore_label)
        # One number per pixel; a product of one-hot vectors would need 2 * classes. It is a segment
        # sum because `ops.bincount` compiles neither with XLA nor with JAX. Uncompiled, it needs
        # .07 s instead of .006 for two images of 1024 x 2048 on two CPU cores: little compared with
        # a network.
        return ops.segment_sum(ops.cast(valid, "int32"), cell, num_segments=classes * classes + 1)

    def _is_class(self, indices: Tensor) -> Tensor:
        return ops.logical_and(indices >= 0, indices < self.num_classes)

    def result(self) -> Tensor:
        """The mean as a scalar tensor; NaN until a pixel is counted."""
        # float32 has a relative error of 1e-7 per count; `per_class` is float64.
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
            ValueError: A counted pixel has a label that is neither a class nor the ignore label,
                or a prediction that is not a class.
        """
        low, high = (
            ops.convert_to_numpy(variable).astype("int64") for variable in (self._low, self._high)
        )
        counts = (high << _LOW_BITS) + low
        if counts[-1]:
            raise ValueError(
                f"{counts[-1]} pixels have a label or a prediction that is neither one of the "
                f"{self.num_classes} classes nor, for labels, {self.ignore_label}. Convert the "
                "label files to train ids first, or check `num_classes`."
            )
        return counts[:-1].reshape(self.num_classes, self.num_classes)

    def per_class(self) -> np.ndarray:
        """Float64 IoU of shape `(classes,)`, NaN for classes absent from labels and predictions.

        Raises:
            ValueError: See `confusion`.
        """
        return iou_from_confusion(self.confusion()).per_class

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_label": self.ignore_label,
            "from_logits": self.from_logits,
        }
