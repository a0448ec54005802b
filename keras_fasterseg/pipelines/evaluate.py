"""Job: score an exported or a trained network on a split."""

import pathlib

from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.evaluation.evaluator import EvaluationResult
from keras_fasterseg.evaluation.evaluator import evaluate as evaluate_runner
from keras_fasterseg.pipelines.artefacts import open_artefact
from keras_fasterseg.pipelines.datasets import evaluation_images
from keras_fasterseg.runtimes.base import Runner


def open_runner(artefact: pathlib.Path) -> Runner:
    """A runner for an exported network or a `network.keras` file, in the artefact's own runtime.

    Raises:
        FileNotFoundError: There is nothing of that name.
        ValueError: It is something else.
    """
    return open_artefact(artefact)


def evaluate(
    artefact: pathlib.Path, source: SegmentationSource, split: str, progress: bool = True
) -> EvaluationResult:
    """Scores `artefact` on whole images of `split`, one by one, at their own size.

    Raises:
        FileNotFoundError: There is no such artefact.
        ValueError: It is none of ours, or knows other classes than the data set.
    """
    runner = open_runner(artefact)
    images = evaluation_images(source, split)
    return evaluate_runner(
        runner, images, source.num_classes, source.class_names, progress=progress
    )
