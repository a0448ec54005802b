"""Whether an exported network answers as the Keras model does."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.runtimes.base import Runner, class_ids_of
from keras_fasterseg.runtimes.serving_graph import LOGITS

MINIMUM_EQUAL_LABELS = {"fp32": 0.9999, "fp16": 0.995}
"""Share of equal labels that an export must reach; int8 is judged by its mIoU."""

MAXIMUM_LOGITS_DIFFERENCE = {"fp32": 3 * 1.6e-3 / 5.5, "fp16": 16 * 2.0**-11}
"""By how much a logit may differ, in units of the largest.

fp32: three times the noise floor of float32 in the published teacher, whose largest logit is 5.5.
fp16: 16 roundings of float16, three times the largest difference seen (2.3e-3, of a student trained
on CamVid with its weights in float16).
"""

MAXIMUM_MIOU_DROP = 0.01
"""By how much an int8 export's mIoU may be lower than that of the Keras model."""

# What an export whose batch is free is shown, again and again.
_FREE_BATCHES = (2, 3, 1)


@dataclasses.dataclass(frozen=True)
class ProofImage:
    """An image that an export is proven on.

    Attributes:
        name: For people.
        image: uint8 `(height, width, 3)`, of a size that the export takes.
        labels: uint8 `(height, width)`, 255: ignored; None where there are none.
        native: Image and labels of their own size; None where they are that already, or where
            they are too large.
        is_resized: Whether `image` was resized.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray | None = None
    native: tuple[np.ndarray, np.ndarray] | None = None
    is_resized: bool = False


@dataclasses.dataclass(frozen=True)
class Proof:
    """An exported network beside the Keras model, on the same images.

    Attributes:
        images: How many different ones.
        of: Where they are from.
        by: What ran the export: a runtime, or that of a stand-in where it cannot run here.
        equal_labels: Share of the pixels that get the same class, in [0, 1].
        logits_difference: Largest absolute difference of two logits; None where the export has none
            to compare.
        logits_size: Largest absolute logit of the Keras model.
        miou_keras: Mean IoU of the Keras model on these images, in [0, 1]; None without labels.
        miou: That of the export.
        worst_image: Name of the image with the smallest share of equal labels.
        worst_equal_labels: That share.
        worst_miou_difference: By how much the mean IoU of a single image falls at most, as
            `miou_difference`; None without labels.
        miou_native: Mean IoU of the Keras model on the images of their own size, in [0, 1]; None
            where they were not resized, have no labels or are too large.
    """

    images: int
    of: str
    by: str
    equal_labels: float
    logits_difference: float | None
    logits_size: float
    miou_keras: float | None = None
    miou: float | None = None
    worst_image: str | None = None
    worst_equal_labels: float | None = None
    worst_miou_difference: float | None = None
    miou_native: float | None = None

    @property
    def miou_difference(self) -> float | None:
        """Mean IoU of the export minus that of the Keras model."""
        if self.miou is None or self.miou_keras is None:
            return None
        return self.miou - self.miou_keras

    def sentence(self) -> str:
        """What was found, for people to read."""
        parts = [f"{100 * self.equal_labels:.4f} % of the labels are those of the Keras model"]
        if self.worst_equal_labels is not None:
            parts[0] += f" (worst image, {self.worst_image}: {100 * self.worst_equal_labels:.4f} %)"
        if self.logits_difference is not None:
            parts.append(
                f"logits differ by {self.logits_difference:.1e} at most (largest: "
                f"{self.logits_size:.1f})"
            )
        if self.miou is not None and self.miou_keras is not None:
            parts.append(f"mIoU {100 * self.miou:.2f} % against {100 * self.miou_keras:.2f} %")
            if self.worst_miou_difference is not None:
                parts[-1] += f" (worst image: {100 * self.worst_miou_difference:+.2f} points)"
        if self.miou_native is not None:
            parts.append(f"{100 * self.miou_native:.2f} % by Keras at the images' own size")
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
    samples: Iterable[ProofImage],
    *,
    of: str,
    by: str,
    num_classes: int,
    logits_runner: Runner | None = None,
    total: int | None = None,
    progress: bool = True,
) -> Proof:
    """Runs `samples` through both, in batches of different images.

    An export with a fixed batch gets such batches; what is missing in the last one is filled with
    its last image, whose copies do not count. One with a free batch gets batches of several sizes.

    Args:
        runner: The exported network.
        keras_runner: The Keras model.
        samples: The images.
        of: Where they are from, for the record.
        by: What `runner` is, for the record.
        num_classes: Number of classes.
        logits_runner: What logits are compared of; None takes `runner`, if it has any.
        total: How many samples there are, for the progress bar.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: There is no sample, or the export does not take these images.
    """
    if logits_runner is None and LOGITS in runner.outputs:
        logits_runner = runner
    findings: list[_Finding] = []
    bar = progress_bar(samples, "proof", unit="image", total=total, show=progress)
    for batch in _batches(bar, runner.batch_size):
        images = _filled([each.image for each in batch], runner.batch_size)
        logits = keras_runner.logits(images)
        received = class_ids_of(runner, images)
        differences = None
        if logits_runner is not None:
            differences = np.abs(logits_runner.logits(images) - logits).max(axis=(1, 2, 3))
        for index, sample in enumerate(batch):
            findings.append(
                _Finding.of(
                    sample,
                    logits[index],
                    received[index],
                    None if differences is None else float(differences[index]),
                    keras_runner,
                    num_classes,
                )
            )
    if not findings:
        raise ValueError("There is nothing to prove an export by: `samples` is empty.")
    return _summary(findings, of, by)


@dataclasses.dataclass(frozen=True)
class _Finding:
    """One image: shares, sizes and confusion matrices; a matrix is None without labels."""

    name: str
    pixels: int
    equal: int
    logits_difference: float | None
    logits_size: float
    keras: np.ndarray | None
    own: np.ndarray | None
    native: np.ndarray | None

    @classmethod
    def of(
        cls,
        sample: ProofImage,
        logits: np.ndarray,
        received: np.ndarray,
        difference: float | None,
        keras_runner: Runner,
        num_classes: int,
    ) -> "_Finding":
        expected = logits.argmax(axis=-1)
        keras = own = native = None
        if sample.labels is not None:
            keras = confusion_of(sample.labels, expected, num_classes)
            own = confusion_of(sample.labels, received, num_classes)
        if sample.native is not None:
            image, labels = sample.native
            native = confusion_of(labels, keras_runner(image[None])[0], num_classes)
        elif not sample.is_resized:
            native = keras
        return cls(
            name=sample.name,
            pixels=received.size,
            equal=int(np.count_nonzero(received == expected)),
            logits_difference=difference,
            logits_size=float(np.abs(logits).max()),
            keras=keras,
            own=own,
            native=native,
        )

    @property
    def miou_difference(self) -> float | None:
        own, keras = _miou([self.own]), _miou([self.keras])
        return None if own is None or keras is None else own - keras


def _summary(findings: list[_Finding], of: str, by: str) -> Proof:
    worst = min(findings, key=lambda each: each.equal / each.pixels)
    differences = [each.logits_difference for each in findings]
    falls = [each.miou_difference for each in findings]
    is_native = all(each.native is each.keras for each in findings)
    return Proof(
        images=len(findings),
        of=of,
        by=by,
        equal_labels=sum(each.equal for each in findings) / sum(each.pixels for each in findings),
        logits_difference=None if None in differences else float(np.max(differences)),
        logits_size=max(each.logits_size for each in findings),
        miou_keras=_miou([each.keras for each in findings]),
        miou=_miou([each.own for each in findings]),
        worst_image=worst.name,
        worst_equal_labels=worst.equal / worst.pixels,
        worst_miou_difference=min((fall for fall in falls if fall is not None), default=None),
        miou_native=None if is_native else _miou([each.native for each in findings]),
    )


def _miou(confusions: list[np.ndarray | None]) -> float | None:
    """Of all together; None if one is missing or no pixel is labelled."""
    known = [each for each in confusions if each is not None]
    if len(known) < len(confusions):
        return None
    mean = float(iou_from_confusion(np.sum(known, axis=0)).mean)
    return None if math.isnan(mean) else mean


def _batches(samples: Iterable[ProofImage], batch_size: int | None) -> Iterator[list[ProofImage]]:
    """Neighbours of one size together, at most `batch_size`; None: as in `_FREE_BATCHES`."""
    sizes = itertools.cycle(_FREE_BATCHES if batch_size is None else (batch_size,))
    batch, size = [], next(sizes)
    for sample in samples:
        if batch and (len(batch) == size or batch[0].image.shape != sample.image.shape):
            yield batch
            batch, size = [], next(sizes)
        batch.append(sample)
    if batch:
        yield batch


def _filled(images: list[np.ndarray], batch_size: int | None) -> np.ndarray:
    return np.stack(images + images[-1:] * ((batch_size or 0) - len(images)))


def check_proof(proof: Proof, precision: str, allow_accuracy_drop: bool = False) -> None:
    """Raises `ValueError` if `proof` is not good enough for an export of `precision`.

    Args:
        proof: What was found.
        precision: `fp32`, `fp16` or `int8`.
        allow_accuracy_drop: Whether an int8 export may be worse, or unproven for want of labels.
    """
    if precision == "int8":
        _check_accuracy(proof, allow_accuracy_drop)
        return
    _check_logits(proof, precision)
    if proof.equal_labels < MINIMUM_EQUAL_LABELS[precision]:
        raise ValueError(
            f"The export is not the network: {100 * proof.equal_labels:.4f} % of the labels on "
            f"{proof.images} images ({proof.of}) are those of the Keras model, at least "
            f"{100 * MINIMUM_EQUAL_LABELS[precision]:g} % must be at {precision}; nothing was "
            "written. Choose another precision or format, or train the network first."
        )


def _check_logits(proof: Proof, precision: str) -> None:
    if proof.logits_difference is None:
        return
    most = MAXIMUM_LOGITS_DIFFERENCE[precision]
    # NaN is no number below another.
    if not proof.logits_difference <= most * proof.logits_size:
        raise ValueError(
            f"The export is not the network: on {proof.images} images ({proof.of}) a logit differs "
            f"from that of the Keras model by {proof.logits_difference:.2g}; at {precision} it may "
            f"differ by {most * proof.logits_size:.2g}, {100 * most:.2g} % of the largest logit. "
            "Nothing was written. Choose another precision or format."
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
