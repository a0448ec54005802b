"""Whether an exported network answers as the Keras model does."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.runtimes.base import Runner, class_ids_of
from keras_fasterseg.runtimes.signature import LOGITS

MINIMUM_EQUAL_LABELS = {"fp32": 0.9999, "fp16": 0.995}
"""Share of equal labels that an export must reach; int8 is judged by its mIoU."""

MAXIMUM_MIOU_DROP = 0.01
"""By how much an int8 export's mIoU may be lower than that of the Keras model."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """An exported network beside the Keras model, on the same images.

    Attributes:
        images: How many.
        of: Where they are from.
        by: What ran the export: a runtime, or that of a stand-in where it cannot run here.
        equal_labels: Share of the pixels that get the same class, in [0, 1].
        logits_difference: Largest absolute difference of two logits; None where the export has none
            to compare.
        logits_size: Largest absolute logit of the Keras model.
        miou_keras: Mean IoU of the Keras model on these images, in [0, 1]; None without labels.
        miou: That of the export.
    """

    images: int
    of: str
    by: str
    equal_labels: float
    logits_difference: float | None
    logits_size: float
    miou_keras: float | None = None
    miou: float | None = None

    @property
    def miou_difference(self) -> float | None:
        """Mean IoU of the export minus that of the Keras model."""
        if self.miou is None or self.miou_keras is None:
            return None
        return self.miou - self.miou_keras

    def sentence(self) -> str:
        """What was found, for people to read."""
        parts = [f"{100 * self.equal_labels:.4f} % of the labels are those of the Keras model"]
        if self.logits_difference is not None:
            parts.append(
                f"logits differ by {self.logits_difference:.1e} at most (largest: "
                f"{self.logits_size:.1f})"
            )
        if self.miou is not None and self.miou_keras is not None:
            parts.append(f"mIoU {100 * self.miou:.2f} % against {100 * self.miou_keras:.2f} %")
        return f"Proof on {self.images} images ({self.of}) by {self.by}: {', '.join(parts)}."

    def line(self) -> str:
        """What a user of the export is told of it, in one line."""
        parts = [f"{100 * self.equal_labels:.3f} % equal labels"]
        if self.miou_difference is not None:
            parts.append(f"mIoU {100 * self.miou_difference:+.2f} points")
        return f"Proven at export: {', '.join(parts)} on {self.images} images of {self.of}"

    def to_json(self) -> dict[str, Any]:
        """The fields and what follows from them, fit for JSON."""
        return {**dataclasses.asdict(self), "miou_difference": self.miou_difference}


def read_proof(metadata: Mapping[str, Any]) -> Proof | None:
    """The proof in the manifest of an export; None if it has none that this version reads."""
    value = metadata.get("proof")
    if not isinstance(value, Mapping):
        return None
    names = {field.name for field in dataclasses.fields(Proof)}
    try:
        return Proof(**{name: item for name, item in value.items() if name in names})
    except TypeError:
        # Fields are missing: it is of another version, which alone knows what it says.
        return None


def prove(
    runner: Runner,
    keras_runner: Runner,
    samples: Iterable[tuple[np.ndarray, np.ndarray | None]],
    *,
    of: str,
    by: str,
    num_classes: int,
    logits_runner: Runner | None = None,
    progress: bool = True,
) -> Proof:
    """Runs `samples` through both.

    Args:
        runner: The exported network.
        keras_runner: The Keras model.
        samples: Images, uint8 `(batch, height, width, 3)`, each with labels `(batch, height,
            width)` (255: ignored) or None.
        of: Where they are from, for the record.
        by: What `runner` is, for the record.
        num_classes: Number of classes.
        logits_runner: What logits are compared of; None takes `runner`, if it has any.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: There is no sample, or the export does not take these images.
    """
    if logits_runner is None and LOGITS in runner.outputs:
        logits_runner = runner
    confusions = {name: np.zeros((num_classes, num_classes), np.int64) for name in ("keras", "own")}
    images_seen, equal, pixels = 0, 0, 0
    differences, sizes = [], []
    for images, labels in progress_bar(samples, "proof", unit="image", show=progress):
        logits = keras_runner.logits(images)
        expected = logits.argmax(axis=-1)
        received = class_ids_of(runner, images)
        if logits_runner is not None:
            differences.append(np.abs(logits_runner.logits(images) - logits).max())
        sizes.append(np.abs(logits).max())
        images_seen += len(images)
        equal += int(np.count_nonzero(received == expected))
        pixels += received.size
        if labels is not None:
            confusions["keras"] += confusion_of(labels, expected, num_classes)
            confusions["own"] += confusion_of(labels, received, num_classes)
    if images_seen == 0:
        raise ValueError("There is nothing to prove an export by: `samples` is empty.")
    mious = {name: float(iou_from_confusion(each).mean) for name, each in confusions.items()}
    return Proof(
        images=images_seen,
        of=of,
        by=by,
        equal_labels=equal / pixels,
        logits_difference=float(max(differences)) if differences else None,
        logits_size=float(max(sizes)),
        # Without a labelled pixel the mean of no class is NaN.
        miou_keras=None if math.isnan(mious["keras"]) else mious["keras"],
        miou=None if math.isnan(mious["own"]) else mious["own"],
    )


def check_proof(proof: Proof, precision: str, allow_accuracy_drop: bool = False) -> None:
    """Raises `ValueError` if `proof` is not good enough for an export of `precision`.

    Args:
        proof: What was found.
        precision: `fp32`, `fp16` or `int8`.
        allow_accuracy_drop: Whether an int8 export may be worse, or unproven for want of labels.
    """
    if precision == "int8":
        _check_accuracy(proof, allow_accuracy_drop)
    elif proof.equal_labels < MINIMUM_EQUAL_LABELS[precision]:
        raise ValueError(
            f"The export is not the network: {100 * proof.equal_labels:.4f} % of the labels on "
            f"{proof.images} images ({proof.of}) are those of the Keras model, at least "
            f"{100 * MINIMUM_EQUAL_LABELS[precision]:g} % must be at {precision}; nothing was "
            "written. Choose another precision or format, or train the network first."
        )


def _check_accuracy(proof: Proof, allow: bool) -> None:
    if allow:
        return
    drop = proof.miou_difference
    if drop is None:
        raise ValueError(
            "An int8 export is judged by its mIoU, for which there are no labels here; name the "
            "data set with --dataset and --data_dir, or set --allow_accuracy_drop."
        )
    if drop < -MAXIMUM_MIOU_DROP:
        raise ValueError(
            f"In int8 the mIoU falls from {100 * proof.miou_keras:.2f} to {100 * proof.miou:.2f} % "
            f"on {proof.images} images ({proof.of}), by more than "
            f"{100 * MAXIMUM_MIOU_DROP:g} points; nothing was written. Give more calibration "
            "images, another --calibration_method, or set --allow_accuracy_drop."
        )
