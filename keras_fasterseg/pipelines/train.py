"""Job: train a derived network, the student beside its frozen teacher."""

import pathlib

import keras
from absl import logging

from keras_fasterseg.data.pipeline import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.evaluation.evaluator import EvaluationResult, evaluate
from keras_fasterseg.files import atomic_path, write_json
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.pipelines.datasets import batch_options, evaluation_images, training_batches
from keras_fasterseg.pipelines.settings import DataSettings, TrainSettings, require
from keras_fasterseg.pipelines.training_callbacks import (
    StopOnNaN,
    decaying_sgd,
    logging_callbacks,
    verbosity,
)
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.training.distillation_trainer import DistillationTrainer
from keras_fasterseg.training.keep_best import KeepBest

MODEL = "network.keras"
EVALUATION = "evaluation.json"


def train(
    folder: pathlib.Path,
    source: SegmentationSource,
    data: DataSettings,
    genotype: Genotype,
    settings: TrainSettings,
    teacher: pathlib.Path | None,
    seed: int,
) -> pathlib.Path:
    """Trains the network of `genotype` and returns the file of its best weights.

    Writes `network.keras` (the network with auxiliary heads, at its best epoch), `evaluation.json`
    (its scores on the validation split), `genotype.json`, `log.csv` and `tensorboard/`.

    Args:
        folder: Where to write.
        source: The data set.
        data: Which splits of it.
        genotype: The network.
        settings: How to train.
        teacher: `network.keras` of a trained teacher; `None` trains without distillation.
        seed: Seed of weights, shuffling and augmentation.

    Raises:
        ValueError: A setting is out of its range, or the teacher knows other classes.
    """
    require(settings.epochs >= 1, f"Training needs an epoch. Received: epochs={settings.epochs}")
    keras.utils.set_random_seed(seed)
    batches = training_batches(
        source,
        source.samples(data.train_split),
        **batch_options(settings, data, seed),
    )
    network = FasterSegNetwork(genotype, source.num_classes, auxiliary_heads=True)
    trainer = DistillationTrainer(
        network,
        None if teacher is None else _load_teacher(teacher, source.num_classes),
        auxiliary_weight=settings.auxiliary_weight,
        distillation_weight=settings.distillation_weight,
        distillation_reduction=settings.distillation_reduction,
    )
    optimizer = decaying_sgd(
        settings.learning_rate,
        settings.learning_rate_decay,
        batches.steps_per_epoch,
        settings.momentum,
        settings.weight_decay,
    )
    optimizer.build(network.trainable_variables)
    trainer.compile(optimizer=optimizer, jit_compile=False)

    runner = KerasRunner(network.without_auxiliary_heads(), IMAGENET_MEAN, IMAGENET_STD)
    images = evaluation_images(source, data.val_split)

    def score() -> EvaluationResult:
        result = evaluate(runner, images, source.num_classes, source.class_names, progress=False)
        logging.info("mIoU on %s: %.4f", data.val_split, result.miou)
        return result

    def save(result: EvaluationResult) -> None:
        with atomic_path(folder / MODEL) as path:
            network.save(path)
        write_json(folder / EVALUATION, result.to_json())

    genotype.save(folder / "genotype.json")
    trainer.fit(
        batches.dataset,
        epochs=settings.epochs,
        steps_per_epoch=batches.steps_per_epoch,
        callbacks=[
            StopOnNaN(),
            KeepBest(score, save, settings.evaluate_every),
            *logging_callbacks(folder),
        ],
        verbose=verbosity(),
    )
    return folder / MODEL


def load_network(path: pathlib.Path) -> FasterSegNetwork:
    """The network in a `network.keras` file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds something else.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no trained network {path}.")
    try:
        network = keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a trained network of this package: {error}") from error
    if not isinstance(network, FasterSegNetwork):
        raise ValueError(f"{path} holds a {type(network).__name__}, not a network of this package.")
    return network


def _load_teacher(path: pathlib.Path, num_classes: int) -> keras.Model:
    teacher = load_network(path)
    require(
        teacher.num_classes == num_classes,
        f"The teacher {path} knows {teacher.num_classes} classes, the data set {num_classes}.",
    )
    return teacher.without_auxiliary_heads()
