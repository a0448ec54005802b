"""Evaluates a runner: IoU of every class over a labelled data set."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.metrics.confusion_matrix import IGNORE_LABEL, confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.wording import text_table


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """The scores of a runner on a data set.

    Attributes:
        miou: Mean IoU, in [0, 1], over the classes present; NaN if none is.
        per_class: IoU by class name; NaN for classes absent from both labels and predictions.
        pixel_accuracy: Share of labelled pixels that are correct; NaN if none is labelled.
        num_images: Number of images evaluated.
        runner: Runner metadata.
    """

    miou: float
    per_class: dict[str, float]
    pixel_accuracy: float
    num_images: int
    runner: dict[str, object]

    @classmethod
    def from_confusion(
        cls,
        confusion: np.ndarray,
        class_names: Sequence[str],
        num_images: int,
        runner: dict[str, object],
    ) -> "EvaluationResult":
        """Computes the scores from pixel counts `(classes, classes)`; rows are labels."""
        result = iou_from_confusion(confusion)
        labelled = int(confusion.sum())
        return cls(
            miou=float(result.mean),
            per_class={
                name: float(iou) for name, iou in zip(class_names, result.per_class, strict=True)
            },
            pixel_accuracy=int(np.trace(confusion)) / labelled if labelled else math.nan,
            num_images=num_images,
            runner=runner,
        )

    def to_json(self) -> dict[str, object]:
        """The fields as JSON values, with None instead of NaN."""
        return {
            "miou": _number(self.miou),
            "per_class": {name: _number(iou) for name, iou in self.per_class.items()},
            "pixel_accuracy": _number(self.pixel_accuracy),
            "num_images": self.num_images,
            "runner": self.runner,
        }

    def table(self) -> str:
        """Formats IoU in percent as a text table: one row per class, then the mean."""
        rows = [*self.per_class.items(), ("mean", self.miou)]
        cells = [(name, "absent" if math.isnan(iou) else f"{100 * iou:.2f}") for name, iou in rows]
        return text_table(("class", "IoU %"), cells)


def evaluate(
    runner: Runner,
    samples: Iterable[tuple[Any, Any]],
    num_classes: int,
    class_names: Sequence[str] | None = None,
    *,
    ignore_label: int = IGNORE_LABEL,
    progress: bool = True,
) -> EvaluationResult:
    """Runs every image through `runner` and compares class ids with labels.

    It keeps only a confusion matrix and one batch in memory, whatever the size of the data set.

    Args:
        runner: Maps uint8 images to class ids.
        samples: Batches of images, uint8 `(batch, height, width, 3)`, and labels, integers
            `(batch, height, width)`, as arrays or tensors, such as a `tf.data.Dataset`. Batches
            may differ in size.
        num_classes: Number of classes.
        class_names: One name per class; None uses their numbers.
        ignore_label: Label of pixels that do not count.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: There are no samples; names and `num_classes` disagree; or labels or
            predictions have the wrong shape or an unknown class.
    """
    names = [str(index) for index in range(num_classes)] if class_names is None else class_names
    if len(names) != num_classes or len(set(names)) != num_classes:
        raise ValueError(
            f"`class_names` must have num_classes={num_classes} different names. "
            f"Received: {list(names)}"
        )
    confusion = np.zeros((num_classes, num_classes), np.int64)
    num_images = 0
    for images, labels in progress_bar(samples, "evaluate", unit="batch", show=progress):
        images, labels = np.asarray(images), np.asarray(labels)
        confusion += confusion_of(labels, runner(images), num_classes, ignore_label)
        num_images += len(images)
    if num_images == 0:
        raise ValueError("`samples` is empty; give at least one batch to evaluate.")
    return EvaluationResult.from_confusion(confusion, names, num_images, runner.describe())


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
