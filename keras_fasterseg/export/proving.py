"""Compares an exported network with the Keras model."""

import collections
import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np

from keras_fasterseg.export.proof import Proof
from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.runtimes.base import Runner, class_ids_of
from keras_fasterseg.runtimes.signature import LOGITS

# Batch sizes that an export with a free batch is given, in rotation.
_FREE_BATCHES = (2, 3, 1)


@dataclasses.dataclass(frozen=True)
class ProofImage:
    """One image of a proof.

    Attributes:
        name: Name for messages.
        image: uint8 `(height, width, 3)`, of a size that the export accepts.
        labels: uint8 `(height, width)`, 255: ignored; None without labels.
        native: Image and labels at their original size; None if they already have it, or if they
            are too large.
        is_resized: Whether `image` was resized.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray | None = None
    native: tuple[np.ndarray, np.ndarray] | None = None
    is_resized: bool = False


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
    """Runs `samples` through both networks, in batches of different images.

    An export with a fixed batch size gets batches of that size. The last batch is filled up with
    copies of its last image, which do not count. An export with a free batch gets batches of
    several sizes. If no two images share a call although they may, the smallest image shares one
    with its mirror image, and the pair counts for labels and logits only.

    Args:
        runner: The exported network.
        keras_runner: The Keras model.
        samples: The images.
        of: Source of the images, for the record.
        by: Name of the runtime behind `runner`, for the record.
        num_classes: Number of classes.
        logits_runner: Runner whose logits are compared. None uses `runner` if it outputs logits.
        total: Number of samples, for the progress bar.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: `samples` is empty, or the export does not accept these images.
    """
    if logits_runner is None and LOGITS in runner.outputs:
        logits_runner = runner

    def compared(batch: list[ProofImage]) -> list[_Finding]:
        images = _filled([each.image for each in batch], runner.batch_size)
        logits = keras_runner.logits(images)
        received = class_ids_of(runner, images)
        differences = itertools.repeat(None)
        if logits_runner is not None:
            largest = np.abs(logits_runner.logits(images) - logits).max(axis=(1, 2, 3))
            differences = map(float, largest)
        return [
            _Finding.of(*found, keras_runner, num_classes)
            for found in zip(batch, logits, received, differences, strict=False)
        ]

    findings: list[_Finding] = []
    mirrored: list[_Finding] = []
    sizes: set[int] = set()
    smallest: ProofImage | None = None
    bar = progress_bar(samples, "proof", unit="image", total=total, show=progress)
    for batch in _batches(bar, runner.batch_size):
        findings += compared(batch)
        sizes.add(len(batch))
        known = batch if smallest is None else [smallest, *batch]
        smallest = min(known, key=lambda each: each.image.size)
    if smallest is None:
        raise ValueError("A proof needs at least one image: `samples` is empty.")
    if runner.batch_size != 1 and sizes == {1}:
        # Only different images in one call show that images of a batch do not mix.
        mirrored = compared(_beside_its_mirror_image(smallest))
        sizes.add(len(mirrored))
    return dataclasses.replace(
        _summary(findings, mirrored, of, by),
        batch_sizes=tuple(sorted(sizes)),
        mirrored_image=smallest.name if mirrored else None,
    )


@dataclasses.dataclass(frozen=True)
class _Finding:
    """Findings for one image; a confusion matrix is None without labels."""

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


def _summary(findings: list[_Finding], mirrored: list[_Finding], of: str, by: str) -> Proof:
    everything = findings + mirrored
    worst = min(everything, key=lambda each: each.equal / each.pixels)
    sizes = (each.logits_difference for each in everything)
    differences = [size for size in sizes if size is not None]
    falls = [each.miou_difference for each in findings]
    is_native = all(each.native is each.keras for each in findings)
    return Proof(
        images=len(findings),
        of=of,
        by=by,
        equal_labels=sum(each.equal for each in everything)
        / sum(each.pixels for each in everything),
        logits_difference=None
        if len(differences) < len(everything)
        else float(np.max(differences)),
        logits_size=max(each.logits_size for each in everything),
        miou_keras=_miou([each.keras for each in findings]),
        miou=_miou([each.own for each in findings]),
        worst_image=worst.name,
        worst_equal_labels=worst.equal / worst.pixels,
        worst_miou_difference=min((fall for fall in falls if fall is not None), default=None),
        miou_native=None if is_native else _miou([each.native for each in findings]),
    )


def _miou(confusions: list[np.ndarray | None]) -> float | None:
    """Mean IoU over the sum of all matrices; None if one is missing or no pixel is labelled."""
    known = [each for each in confusions if each is not None]
    if len(known) < len(confusions):
        return None
    mean = float(iou_from_confusion(np.sum(known, axis=0)).mean)
    return None if math.isnan(mean) else mean


def _batches(samples: Iterable[ProofImage], batch_size: int | None) -> Iterator[list[ProofImage]]:
    """Batches of images of equal size, at most `batch_size` each; None uses `_FREE_BATCHES`."""
    waiting: dict[tuple[int, ...], list[ProofImage]] = collections.defaultdict(list)
    sizes = collections.defaultdict(
        lambda: itertools.cycle(_FREE_BATCHES if batch_size is None else (batch_size,))
    )
    wanted: dict[tuple[int, ...], int] = {}
    for sample in samples:
        shape = sample.image.shape
        batch = waiting[shape]
        if not batch:
            wanted[shape] = next(sizes[shape])
        batch.append(sample)
        if len(batch) == wanted[shape]:
            yield waiting.pop(shape)
    yield from waiting.values()


def _beside_its_mirror_image(sample: ProofImage) -> list[ProofImage]:
    """An image and its mirror image, without labels."""
    both = {sample.name: sample.image, f"{sample.name}, mirrored": sample.image[:, ::-1]}
    return [ProofImage(name, image) for name, image in both.items()]


def _filled(images: list[np.ndarray], batch_size: int | None) -> np.ndarray:
    return np.stack(images + images[-1:] * ((batch_size or 0) - len(images)))
