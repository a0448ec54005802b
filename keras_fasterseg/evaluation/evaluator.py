"""How good a runner is: IoU of every class over a labelled dataset."""

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
    """What one pass over a dataset found.

    Attributes:
        miou: Mean IoU, in [0, 1], over the classes that occur; NaN where none does.
        per_class: IoU by class name; NaN for a class that is in neither labels nor predictions.
        pixel_accuracy: Share of the labelled pixels that are right; NaN where none is labelled.
        num_images: How many images were seen.
        runner: What the runner says of itself.
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
        """The result that pixel counts `(classes, classes)` stand for; rows are labels."""
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
        """The fields as values fit for JSON, None in place of NaN."""
        return {
            "miou": _number(self.miou),
            "per_class": {name: _number(iou) for name, iou in self.per_class.items()},
            "pixel_accuracy": _number(self.pixel_accuracy),
            "num_images": self.num_images,
            "runner": self.runner,
        }

    def table(self) -> str:
        """IoU in percent, one class a row and the mean below, for people to read."""
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

    Only a confusion matrix and one batch of class ids are held, whatever the dataset's length.

    Args:
        runner: Maps uint8 images to class ids.
        samples: Batches of images, uint8 `(batch, height, width, 3)`, and labels, integers
            `(batch, height, width)`; arrays or tensors, such as a `tf.data.Dataset`. The size may
            differ from batch to batch.
        num_classes: Number of classes.
        class_names: A name for every class; None calls them by their number.
        ignore_label: The label of pixels that do not count.
        progress: Whether a progress bar is shown.

    Raises:
        ValueError: There is no sample; names and `num_classes` disagree; labels or predictions
            have another shape than expected or hold a class that does not exist.
    """
    names = [str(index) for index in range(num_classes)] if class_names is None else class_names
    if len(names) != num_classes or len(set(names)) != num_classes:
        raise ValueError(
            f"`class_names` must be num_classes={num_classes} different names. "
            f"Received: {list(names)}"
        )
    confusion = np.zeros((num_classes, num_classes), np.int64)
    num_images = 0
    for images, labels in progress_bar(samples, "evaluate", unit="batch", show=progress):
        images, labels = np.asarray(images), np.asarray(labels)
        confusion += confusion_of(labels, runner(images), num_classes, ignore_label)
        num_images += len(images)
    if num_images == 0:
        raise ValueError("There is nothing to evaluate: `samples` is empty.")
    return EvaluationResult.from_confusion(confusion, names, num_images, runner.describe())


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
