"""The official scores of Cityscapes, computed by cityscapesscripts itself."""

import contextlib
import copy
import dataclasses
import importlib.metadata
import io
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging
from cityscapesscripts.helpers.labels import category2labels, labels

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.wording import counted, text_table

_LABEL_IDS = "labelIds"
_INSTANCE_IDS = "instanceIds"


@dataclasses.dataclass(frozen=True)
class Score:
    """Scores of one class or category, in [0, 1].

    Attributes:
        iou: Intersection over union; NaN if absent from both labels and predictions.
        iiou: IoU with every labelled instance weighted by the average instance size of its class
            divided by its own size; NaN without instances.
    """

    iou: float
    iiou: float

    def to_json(self) -> dict[str, float | None]:
        """The fields as JSON values, with None instead of NaN."""
        fields = dataclasses.asdict(self)
        return {name: None if math.isnan(value) else value for name, value in fields.items()}


@dataclasses.dataclass(frozen=True)
class CityscapesScores:
    """The scores that Cityscapes' benchmark server publishes.

    Attributes:
        classes: Scores of the evaluated classes, by name.
        categories: Scores of the evaluated categories, by name.
        class_average: Mean over the classes with a score.
        category_average: Mean over the categories with a score.
        confusion: Pixel counts `(ids, ids)` by label id: rows are labels, columns predictions.
        num_images: Number of images compared.
        note: Reason for a missing iIoU; empty if it is present.
    """

    classes: Mapping[str, Score]
    categories: Mapping[str, Score]
    class_average: Score
    category_average: Score
    confusion: np.ndarray
    num_images: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON values, without the confusion matrix."""
        return {
            "classes": {name: score.to_json() for name, score in self.classes.items()},
            "categories": {name: score.to_json() for name, score in self.categories.items()},
            "average": {
                "classes": self.class_average.to_json(),
                "categories": self.category_average.to_json(),
            },
            "num_images": self.num_images,
            "note": self.note,
            "cityscapesscripts": importlib.metadata.version("cityscapesscripts"),
        }

    def table(self) -> str:
        """Formats the scores in percent as on the server's page: classes, categories, averages."""
        averages = {"classes": self.class_average, "categories": self.category_average}
        parts = [("class", self.classes), ("category", self.categories), ("average", averages)]
        tables = [_table(title, scores, instances=not self.note) for title, scores in parts]
        return "\n\n".join([*tables, *([self.note] if self.note else [])])


def label_ids_file(label: pathlib.Path) -> pathlib.Path:
    """The file with label ids next to `label`, a file with label ids or train ids."""
    return label.with_name(label.name.replace("labelTrainIds", _LABEL_IDS))


def check_ground_truth(ground_truth: Sequence[pathlib.Path]) -> None:
    """Raises `DataError` if a file with label ids is missing."""
    missing = [path for path in ground_truth if not path.is_file()]
    if missing:
        raise DataError(
            f"Cityscapes' official evaluation needs label ids, which are missing for "
            f"{len(missing)} of {counted(len(ground_truth), 'image')}, such as {missing[0]}. "
            "They are in gtFine_trainvaltest.zip."
        )


def cityscapes_scores(
    predictions: Sequence[pathlib.Path], ground_truth: Sequence[pathlib.Path]
) -> CityscapesScores:
    """Compares label maps with Cityscapes' ground truth.

    Args:
        predictions: 8-bit PNG files of label ids (not train ids), of the size of the images.
        ground_truth: Their `*_labelIds.png`. If a `*_instanceIds.png` next to one is missing, the
            result has no iIoU.

    Raises:
        DataError: A file with label ids is missing.
        ValueError: cityscapesscripts rejects a file, for example because of its size.

    Reference:
        cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling, which the server runs.
    """
    check_ground_truth(ground_truth)
    note = _missing_instances(ground_truth)
    logging.info("cityscapesscripts compares %d label maps with their labels", len(predictions))
    found = _run_script(predictions, ground_truth, instances=not note)
    evaluated = [label for label in labels if label.id >= 0 and not label.ignoreInEval]
    categories = [
        name
        for name, members in category2labels.items()
        if not all(label.ignoreInEval for label in members)
    ]

    def score(iou: float, iiou: float) -> Score:
        # Without instances the script reports 0; the true value is unknown.
        return Score(float(iou), math.nan if note else float(iiou))

    return CityscapesScores(
        classes={
            label.name: score(
                found["classScores"][label.name], found["classInstScores"][label.name]
            )
            for label in evaluated
        },
        categories={
            name: score(found["categoryScores"][name], found["categoryInstScores"][name])
            for name in categories
        },
        class_average=score(found["averageScoreClasses"], found["averageScoreInstClasses"]),
        category_average=score(
            found["averageScoreCategories"], found["averageScoreInstCategories"]
        ),
        confusion=np.array(found["confMatrix"], np.int64),
        num_images=len(predictions),
        note=note,
    )


def _missing_instances(ground_truth: Sequence[pathlib.Path]) -> str:
    """Reason for a missing iIoU; empty if every file with instance ids exists."""
    files = [path.with_name(path.name.replace(_LABEL_IDS, _INSTANCE_IDS)) for path in ground_truth]
    missing = [path for path in files if not path.is_file()]
    if not missing:
        return ""
    return (
        f"No iIoU: instance ids are missing for {len(missing)} of "
        f"{counted(len(files), 'image')}, such as {missing[0].name}."
    )


def _run_script(
    predictions: Sequence[pathlib.Path], ground_truth: Sequence[pathlib.Path], *, instances: bool
) -> dict[str, Any]:
    """Runs cityscapesscripts, without its printed output and its result file."""
    # Imported here: on import it reads the environment and may raise.
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling

    # A copy, because the script's arguments are a global object of its module.
    arguments = copy.copy(evalPixelLevelSemanticLabeling.args)
    vars(arguments).update(quiet=True, JSONOutput=False, evalInstLevelScore=instances)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return evalPixelLevelSemanticLabeling.evaluateImgLists(
                [str(path) for path in predictions], [str(path) for path in ground_truth], arguments
            )
    except SystemExit as error:
        reason = printed.getvalue().strip().removeprefix("ERROR: ")
        raise ValueError(f"cityscapesscripts cannot compare the files: {reason}") from error


def _table(title: str, scores: Mapping[str, Score], *, instances: bool) -> str:
    columns = 3 if instances else 2
    rows = [
        (name, _percent(score.iou, "absent"), _percent(score.iiou, "-"))[:columns]
        for name, score in scores.items()
    ]
    return text_table((title, "IoU %", "iIoU %")[:columns], rows)


def _percent(value: float, otherwise: str) -> str:
    return otherwise if math.isnan(value) else f"{100 * value:.4f}"
