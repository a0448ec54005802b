"""Job: score an exported or a trained network on a split."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
from absl import logging
from cityscapesscripts.helpers.labels import name2label

from keras_fasterseg.classes import check_same_classes, recorded_names
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.evaluation.cityscapes_scores import (
    CityscapesScores,
    check_ground_truth,
    cityscapes_scores,
    label_ids_file,
)
from keras_fasterseg.evaluation.evaluator import EvaluationResult
from keras_fasterseg.evaluation.evaluator import evaluate as evaluate_runner
from keras_fasterseg.evaluation.submission import check_cityscapes, write_submission
from keras_fasterseg.export.proof import read_proof
from keras_fasterseg.files import sha256
from keras_fasterseg.reports.evaluation_report import EvaluationReport
from keras_fasterseg.run.artefacts import open_artefact
from keras_fasterseg.run.dataset_warnings import warn_of_files
from keras_fasterseg.run.datasets import evaluation_images
from keras_fasterseg.run.inputs import InputFiles
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.settings.passes import ONE_PASS, PassSettings, with_passes


def open_runner(artefact: pathlib.Path, passes: PassSettings = ONE_PASS) -> Runner:
    """Opens an exported network or a `network.keras` file, in the runtime of its format.

    Raises:
        FileNotFoundError: The artefact does not exist.
        ValueError: It is not an artefact of this package, or several passes need logits that it
            does not return.
    """
    return with_passes(open_artefact(artefact), passes)


def evaluate(
    artefact: pathlib.Path, source: SegmentationSource, split: str, progress: bool = True
) -> EvaluationResult:
    """Scores `artefact` on the images of `split`, one by one, at their original size.

    Raises:
        FileNotFoundError: The artefact does not exist.
        ValueError: It is not an artefact of this package, or has other classes than the data set.
    """
    runner = open_runner(artefact)
    check_classes(runner, artefact, source)
    return _score(runner, source, split, progress)


def report(
    artefact: pathlib.Path,
    source: SegmentationSource,
    split: str,
    *,
    passes: PassSettings = ONE_PASS,
    official: bool = False,
    submission: pathlib.Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> EvaluationReport:
    """Scores `artefact`, or writes its label maps, or both.

    Args:
        artefact: An export or a `network.keras`.
        source: The data set.
        split: The split to evaluate.
        passes: Passes over each image: scales, mirrored images and windows.
        official: Whether cityscapesscripts computes the scores, including iIoU and categories.
        submission: Folder for label maps in the format of Cityscapes' test server. Without
            `official`, labels are neither needed nor read.
        overwrite: Whether to replace label maps in that folder, whatever their origin.
        progress: Whether to show progress bars.

    Raises:
        FileNotFoundError: The artefact does not exist.
        FileExistsError: `submission` holds other files, or label maps of another origin.
        ValueError: The artefact is not one of this package, has other classes than the data set, or
            the data set has no official scores.
        DataError: A file of the data set is missing or faulty.
    """
    if not official and submission is None:
        _warn(source, split)
        runner = open_runner(artefact, passes)
        check_classes(runner, artefact, source)
        warn_if_trained_on(runner, source, split)
        result = _score(runner, source, split, progress)
        return EvaluationReport(
            split, result.num_images, result.runner, result, proof=read_proof(runner.metadata)
        )
    check_cityscapes(source)
    _warn(source, split)
    samples = source.samples(split) if official else source.pairs(split)
    ground_truth = [label_ids_file(sample.label) for sample in samples] if official else []
    # Checked before the label maps, which take long.
    check_ground_truth(ground_truth)
    runner = open_runner(artefact, passes)
    check_classes(runner, artefact, source)
    if official:
        warn_if_trained_on(runner, source, split)
    description = runner.describe()
    with _folder(submission) as folder:
        files = write_submission(
            runner,
            samples,
            source.class_names,
            folder,
            origin={
                "artefact_sha256": _digest(artefact),
                **description,
                "images": str(source.root.resolve()),
                "split": split,
                "classes": list(source.class_names),
            },
            max_megapixels=source.max_megapixels,
            overwrite=overwrite,
            progress=progress,
        )
        scores = cityscapes_scores(files, ground_truth) if official else None
    return EvaluationReport(
        split,
        len(files),
        description,
        None if scores is None else _result(scores, source, description),
        scores,
        submission,
        read_proof(runner.metadata),
    )


def check_classes(runner: Runner, artefact: pathlib.Path, source: SegmentationSource) -> None:
    """Raises `ValueError` if an artefact's classes, or their order, differ from the data set's."""
    metadata = runner.metadata
    names, count = recorded_names(metadata), metadata.get("num_classes")
    if names is None:
        logging.warning(
            "%s does not record the names of its classes; assuming %s.",
            artefact,
            ", ".join(source.class_names),
        )
    count = count if isinstance(count, int) else None
    check_same_classes(names, count, f"The network {artefact}", source.class_names, source.name)


def warn_if_trained_on(runner: Runner, source: SegmentationSource, split: str) -> None:
    """Logs a warning if the network was trained on exactly the images of the split."""
    trained_on = runner.metadata.get("trained_on")
    recorded = trained_on.get("splits") if isinstance(trained_on, dict) else None
    if not isinstance(recorded, dict):
        return
    for part in source.parts(split):
        if InputFiles().split(source, part).sha256 in recorded.values():
            logging.warning(
                "The network was trained on the images of the split %s: the score does not measure "
                "unseen images.",
                part,
            )


def _warn(source: SegmentationSource, split: str) -> None:
    is_apart = "train" in source.split_names and "train" not in source.parts(split)
    warn_of_files(source, ("train", split) if is_apart else (split,))


def _score(
    runner: Runner, source: SegmentationSource, split: str, progress: bool
) -> EvaluationResult:
    return evaluate_runner(
        runner,
        evaluation_images(source, split),
        source.num_classes,
        source.class_names,
        progress=progress,
    )


@contextlib.contextmanager
def _folder(submission: pathlib.Path | None) -> Iterator[pathlib.Path]:
    if submission is not None:
        yield submission
        return
    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        yield pathlib.Path(folder)


def _digest(artefact: pathlib.Path) -> str | None:
    """Digest of a file with a network; exports record their own."""
    return sha256(artefact) if artefact.is_file() else None


def _result(
    scores: CityscapesScores, source: SegmentationSource, runner: dict[str, object]
) -> EvaluationResult:
    ids = [name2label[name].id for name in source.class_names]
    confusion = scores.confusion[np.ix_(ids, ids)]
    return EvaluationResult.from_confusion(confusion, source.class_names, scores.num_images, runner)
