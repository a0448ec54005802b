"""Job: score a SavedModel or a trained network on a split."""

import pathlib

from keras_fasterseg.data.pipeline import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.evaluation.evaluator import EvaluationResult
from keras_fasterseg.evaluation.evaluator import evaluate as evaluate_runner
from keras_fasterseg.pipelines.datasets import evaluation_images
from keras_fasterseg.pipelines.train import load_network
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner


def open_runner(artefact: pathlib.Path) -> Runner:
    """A runner for a SavedModel folder or a `network.keras` file.

    Raises:
        FileNotFoundError: There is nothing of that name.
        ValueError: It is something else.
    """
    artefact = pathlib.Path(artefact)
    if artefact.is_dir():
        return SavedModelRunner(artefact)
    network = load_network(artefact)
    return KerasRunner(network.without_auxiliary_heads(), IMAGENET_MEAN, IMAGENET_STD)


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
