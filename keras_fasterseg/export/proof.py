"""The proof in an export's manifest: its fields, and the limits that it must meet."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

MINIMUM_EQUAL_LABELS = {"fp32": 0.9999, "fp16": 0.995}
"""Minimum share of labels equal to the Keras model's; int8 is judged by its mIoU instead."""

MAXIMUM_LOGITS_DIFFERENCE = {"fp32": 3 * 1.6e-3 / 5.5, "fp16": 16 * 2.0**-11}
"""Maximum difference of a logit, relative to the largest logit.

fp32: three times the noise floor of float32 in the published teacher, whose largest logit is 5.5.
fp16: 16 roundings of float16, three times the largest difference seen (2.3e-3, for a student
trained on CamVid with its weights in float16).
"""

MAXIMUM_MIOU_DROP = 0.01
"""Maximum drop in mIoU of an int8 export compared with the Keras model."""


_HIGHEST = 1e300


@dataclasses.dataclass(frozen=True)
class Proof:
    """Comparison of an exported network with the Keras model on the same images.

    Attributes:
        images: Number of different images.
        of: Source of the images.
        by: Runtime that ran the export, or its stand-in where the export cannot run here.
        equal_labels: Share of pixels with the same class, in [0, 1].
        logits_difference: Largest absolute difference between two logits. None if logits were not
            compared: for int8, and for an engine that runs here and outputs class ids only.
        logits_size: Largest absolute logit of the Keras model.
        miou_keras: Mean IoU of the Keras model on these images, in [0, 1]; None without labels.
        miou: Mean IoU of the export on these images, in [0, 1]; None without labels.
        worst_image: Name of the image with the smallest share of equal labels.
        worst_equal_labels: Share of equal labels of the worst image, in [0, 1].
        worst_miou_difference: Lowest `miou_difference` of a single image; None without labels.
        miou_native: Mean IoU of the Keras model on the images at their original size, in [0, 1].
            None if the images were not resized, have no labels or are too large.
        batch_sizes: Distinct numbers of different images per call; empty in proofs of earlier
            versions.
        mirrored_image: Name of the image that shared a call with its mirror image; the pair counts
            for labels and logits only. None if other images shared calls, or if no images may.
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
    batch_sizes: tuple[int, ...] = ()
    mirrored_image: str | None = None

    def __post_init__(self):
        # JSON has only lists.
        object.__setattr__(self, "batch_sizes", tuple(self.batch_sizes))

    @property
    def miou_difference(self) -> float | None:
        """Mean IoU of the export minus that of the Keras model."""
        if self.miou is None or self.miou_keras is None:
            return None
        return self.miou - self.miou_keras

    def sentence(self) -> str:
        """The findings as a sentence."""
        parts = [f"{100 * self.equal_labels:.4f} % of the labels match the Keras model"]
        if self.worst_equal_labels is not None:
            parts[0] += f" (worst image, {self.worst_image}: {100 * self.worst_equal_labels:.4f} %)"
        if self.logits_difference is not None:
            parts.append(
                f"logits differ by at most {self.logits_difference:.1e} (largest logit: "
                f"{self.logits_size:.1f})"
            )
        else:
            parts.append("logits were not compared")
        if self.miou is not None and self.miou_keras is not None:
            parts.append(f"mIoU {100 * self.miou:.2f} %, Keras model {100 * self.miou_keras:.2f} %")
            if self.worst_miou_difference is not None:
                parts[-1] += f" (worst image: {100 * self.worst_miou_difference:+.2f} points)"
        if self.miou_native is not None:
            parts.append(f"Keras model at the original image size {100 * self.miou_native:.2f} %")
        calls = ""
        if max(self.batch_sizes, default=1) > 1:
            calls = f", {' or '.join(map(str, self.batch_sizes))} per call"
        if self.mirrored_image is not None:
            calls += f" ({self.mirrored_image} with its mirror image)"
        return f"Proof on {self.images} images ({self.of}{calls}) by {self.by}: {', '.join(parts)}."

    def line(self) -> str:
        """One-line summary for users of the export."""
        parts = [f"{100 * self.equal_labels:.3f} % equal labels"]
        if self.miou_difference is not None:
            parts.append(f"mIoU {100 * self.miou_difference:+.2f} points")
        return f"Proven at export: {', '.join(parts)} on {self.images} images of {self.of}"

    def to_json(self) -> dict[str, Any]:
        """The fields and `miou_difference`, as JSON values."""
        return {
            **dataclasses.asdict(self),
            "batch_sizes": list(self.batch_sizes),
            "miou_difference": self.miou_difference,
        }


def read_proof(metadata: Mapping[str, Any]) -> Proof | None:
    """The proof in the manifest of an export; None if this version finds none it can read."""
    value = metadata.get("proof")
    if not isinstance(value, Mapping):
        return None
    kinds = typing.get_type_hints(Proof)
    fields = {name: item for name, item in value.items() if name in kinds}
    try:
        proof = Proof(**fields)
    except TypeError:
        # Fields are missing: another version wrote it, and this one cannot interpret it.
        return None
    return proof if all(_fits(item, kinds[name]) for name, item in fields.items()) else None


def _fits(value: Any, kind: Any) -> bool:
    """True if a JSON value fits a field of the type `kind`."""
    if isinstance(kind, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        each = typing.get_args(kind)[0]
        return isinstance(value, list | tuple) and all(_fits(item, each) for item in value)
    if isinstance(value, bool):
        return False
    if kind is float:
        # Excludes NaN and infinity, which Python's JSON allows, and integers too large for a float.
        return isinstance(value, int | float) and abs(value) < _HIGHEST
    return isinstance(value, kind)


def check_proof(proof: Proof, precision: str, allow_accuracy_drop: bool = False) -> None:
    """Raises `ValueError` if `proof` is not good enough for an export of `precision`.

    Args:
        proof: The findings.
        precision: `fp32`, `fp16` or `int8`.
        allow_accuracy_drop: Whether an int8 export may exceed `MAXIMUM_MIOU_DROP`, or have no mIoU
            because the images have no labels.
    """
    if precision == "int8":
        _check_accuracy(proof, allow_accuracy_drop)
        return
    _check_logits(proof, precision)
    if proof.equal_labels < MINIMUM_EQUAL_LABELS[precision]:
        raise ValueError(
            f"The export differs from the Keras model: {100 * proof.equal_labels:.4f} % of the "
            f"labels on {proof.images} images ({proof.of}) are equal, but at least "
            f"{100 * MINIMUM_EQUAL_LABELS[precision]:g} % must be for {precision}; nothing was "
            "written. Choose another precision or format, or train the network first."
        )


def _check_logits(proof: Proof, precision: str) -> None:
    if proof.logits_difference is None:
        return
    most = MAXIMUM_LOGITS_DIFFERENCE[precision]
    # Negated, so that NaN fails as well.
    if not proof.logits_difference <= most * proof.logits_size:
        raise ValueError(
            f"The export differs from the Keras model: on {proof.images} images ({proof.of}) a "
            f"logit differs by {proof.logits_difference:.2g}; {precision} allows at most "
            f"{most * proof.logits_size:.2g}, {100 * most:.2g} % of the largest logit. Nothing was "
            "written. Choose another precision or format."
        )


def _check_accuracy(proof: Proof, allow: bool) -> None:
    if allow:
        return
    before, after = proof.miou_keras, proof.miou
    if before is None or after is None:
        raise ValueError(
            "An int8 export is judged by its mIoU, but the images have no labels; name the data "
            "set with --dataset and --data_dir, or set --allow_accuracy_drop."
        )
    if after - before < -MAXIMUM_MIOU_DROP:
        raise ValueError(
            f"int8 lowers the mIoU from {100 * before:.2f} to {100 * after:.2f} % "
            f"on {proof.images} images ({proof.of}), by more than "
            f"{100 * MAXIMUM_MIOU_DROP:g} points; nothing was written. Use more calibration "
            "images or another --calibration_method, or set --allow_accuracy_drop."
        )
