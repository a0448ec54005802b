"""The proof in an export's manifest: what it says, and what it must say."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

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


_HIGHEST = 1e300


@dataclasses.dataclass(frozen=True)
class Proof:
    """An exported network beside the Keras model, on the same images.

    Attributes:
        images: How many different ones.
        of: Where they are from.
        by: What ran the export: a runtime, or that of a stand-in where it cannot run here.
        equal_labels: Share of the pixels that get the same class, in [0, 1].
        logits_difference: Largest absolute difference of two logits; None where none were compared:
            of int8, and of an engine that runs itself and gives class ids alone.
        logits_size: Largest absolute logit of the Keras model.
        miou_keras: Mean IoU of the Keras model on these images, in [0, 1]; None without labels.
        miou: That of the export.
        worst_image: Name of the image with the smallest share of equal labels.
        worst_equal_labels: That share.
        worst_miou_difference: By how much the mean IoU of a single image falls at most, as
            `miou_difference`; None without labels.
        miou_native: Mean IoU of the Keras model on the images of their own size, in [0, 1]; None
            where they were not resized, have no labels or are too large.
        batch_sizes: Numbers of different images that a call had, each once; empty in proofs of
            earlier versions.
        mirrored_image: Name of the image that shared a call with its mirror image, which counts
            for labels and logits alone; None where images shared calls with one another, or none
            may.
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
        # JSON knows lists alone.
        object.__setattr__(self, "batch_sizes", tuple(self.batch_sizes))

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
        else:
            parts.append("logits were not compared")
        if self.miou is not None and self.miou_keras is not None:
            parts.append(f"mIoU {100 * self.miou:.2f} % against {100 * self.miou_keras:.2f} %")
            if self.worst_miou_difference is not None:
                parts[-1] += f" (worst image: {100 * self.worst_miou_difference:+.2f} points)"
        if self.miou_native is not None:
            parts.append(f"{100 * self.miou_native:.2f} % by Keras at the images' own size")
        calls = ""
        if max(self.batch_sizes, default=1) > 1:
            calls = f", {' or '.join(map(str, self.batch_sizes))} a call"
        if self.mirrored_image is not None:
            calls += f" ({self.mirrored_image} beside its mirror image)"
        return f"Proof on {self.images} images ({self.of}{calls}) by {self.by}: {', '.join(parts)}."

    def line(self) -> str:
        """What a user of the export is told of it, in one line."""
        parts = [f"{100 * self.equal_labels:.3f} % equal labels"]
        if self.miou_difference is not None:
            parts.append(f"mIoU {100 * self.miou_difference:+.2f} points")
        return f"Proven at export: {', '.join(parts)} on {self.images} images of {self.of}"

    def to_json(self) -> dict[str, Any]:
        """The fields and what follows from them, fit for JSON."""
        return {
            **dataclasses.asdict(self),
            "batch_sizes": list(self.batch_sizes),
            "miou_difference": self.miou_difference,
        }


def read_proof(metadata: Mapping[str, Any]) -> Proof | None:
    """The proof in the manifest of an export; None if it has none that this version reads."""
    value = metadata.get("proof")
    if not isinstance(value, Mapping):
        return None
    kinds = typing.get_type_hints(Proof)
    fields = {name: item for name, item in value.items() if name in kinds}
    try:
        proof = Proof(**fields)
    except TypeError:
        # Fields are missing: it is of another version, which alone knows what it says.
        return None
    return proof if all(_fits(item, kinds[name]) for name, item in fields.items()) else None


def _fits(value: Any, kind: Any) -> bool:
    """True if a value of a JSON file may be that of a field of the type `kind`."""
    if isinstance(kind, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        each = typing.get_args(kind)[0]
        return isinstance(value, list | tuple) and all(_fits(item, each) for item in value)
    if isinstance(value, bool):
        return False
    if kind is float:
        # Neither NaN nor infinity, which Python's JSON has, nor an integer that no float holds.
        return isinstance(value, int | float) and abs(value) < _HIGHEST
    return isinstance(value, kind)


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
    before, after = proof.miou_keras, proof.miou
    if before is None or after is None:
        raise ValueError(
            "An int8 export is judged by its mIoU, for which there are no labels here; name the "
            "data set with --dataset and --data_dir, or set --allow_accuracy_drop."
        )
    if after - before < -MAXIMUM_MIOU_DROP:
        raise ValueError(
            f"In int8 the mIoU falls from {100 * before:.2f} to {100 * after:.2f} % "
            f"on {proof.images} images ({proof.of}), by more than "
            f"{100 * MAXIMUM_MIOU_DROP:g} points; nothing was written. Give more calibration "
            "images, another --calibration_method, or set --allow_accuracy_drop."
        )
