"""Result of an evaluation, as readable text and as JSON."""

import dataclasses
import math
import pathlib
from typing import Any

from keras_fasterseg.evaluation.cityscapes_scores import CityscapesScores
from keras_fasterseg.evaluation.evaluator import EvaluationResult
from keras_fasterseg.export.proof import Proof
from keras_fasterseg.wording import counted


@dataclasses.dataclass(frozen=True)
class EvaluationReport:
    """Scores of a network on a split, or the location of its label maps.

    Attributes:
        split: Name of the split.
        num_images: Number of images evaluated.
        runner: Runner metadata.
        result: IoU of every class; None if only label maps were requested.
        official: Scores computed by cityscapesscripts; None if not requested.
        submission: Folder of the label maps; None if they were not kept.
        proof: The export's proof from its manifest; None if it has none.
    """

    split: str
    num_images: int
    runner: dict[str, object]
    result: EvaluationResult | None = None
    official: CityscapesScores | None = None
    submission: pathlib.Path | None = None
    proof: Proof | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON values."""
        value: dict[str, Any] = {"num_images": self.num_images, "runner": self.runner}
        if self.result is not None:
            value = self.result.to_json()
        if self.official is not None:
            value["official"] = self.official.to_json()
        if self.submission is not None:
            value["submission"] = str(self.submission)
        if self.proof is not None:
            value["proof"] = self.proof.to_json()
        return value

    def text(self) -> str:
        """Formats the report as tables and sentences."""
        parts = []
        if self.official is not None:
            parts.append(self.official.table())
        elif self.result is not None:
            parts.append(self.result.table())
        last = []
        if self.result is not None:
            images = counted(self.num_images, "image")
            last.append(f"{_mean(self.result.miou)}, {images} of {self.split}")
        if self.submission is not None:
            maps, verb = (
                counted(self.num_images, "label map"),
                "is" if self.num_images == 1 else "are",
            )
            last.append(f"{maps} of {self.split} {verb} in {self.submission}")
        if self.proof is not None:
            last.append(self.proof.line())
        return "\n\n".join([*parts, "\n".join(last)])


def _mean(miou: float) -> str:
    if math.isnan(miou):
        # For example Cityscapes' test split, whose labels only the benchmark server has.
        return "No mIoU, because no pixel is labelled with a class"
    return f"mIoU {100 * miou:.2f} %"
