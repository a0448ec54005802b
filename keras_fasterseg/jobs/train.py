"""Job: train the network of a genotype; a student can be distilled from its frozen teacher."""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
from absl import logging

from keras_fasterseg import workers
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.evaluation.evaluator import EvaluationResult, evaluate
from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.run.class_weights import check_class_weight_setting, resolve_class_weights
from keras_fasterseg.run.data_checks import check_data, check_images
from keras_fasterseg.run.datasets import (
    batch_options,
    evaluation_images,
    shown_images,
    training_batches,
)
from keras_fasterseg.run.fit import fit
from keras_fasterseg.run.inputs import Input, network_input
from keras_fasterseg.run.local_devices import local_devices
from keras_fasterseg.run.names import EVALUATION, GENOTYPE, NETWORK
from keras_fasterseg.run.optimizers import check_optimizer, training_optimizer
from keras_fasterseg.run.prolonging import check_prolonging, more_epochs
from keras_fasterseg.run.run import Run, if_there
from keras_fasterseg.run.sample_predictions import SamplePredictions
from keras_fasterseg.run.trained_networks import (
    check_genotype,
    check_initial_classes,
    check_network_classes,
    initialize_network,
    load_network,
)
from keras_fasterseg.run.workdir import plain
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.setting import require
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.registry import load_genotype, space_of
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.training.distillation_trainer import DistillationTrainer
from keras_fasterseg.training.evaluated_network import EvaluatedNetwork
from keras_fasterseg.training.keep_best import KeepBest
from keras_fasterseg.training.stop_early import StopEarly


def train(
    folder: pathlib.Path,
    source: SegmentationSource,
    data: DataSettings,
    genotype: Genotype,
    settings: TrainSettings,
    teacher: pathlib.Path | None,
    seed: int,
    trained_on: dict[str, Any] | None = None,
) -> pathlib.Path:
    """Trains the network of `genotype` and returns the file of its best weights.

    Resumes from the newest checkpoint in `folder`, if it has one. Writes `network.keras` (the
    network with auxiliary heads, in float32, at its best epoch), `evaluation.json` (its scores on
    the validation split), `genotype.json` and the files of `fit`.

    Args:
        folder: Folder to write to.
        source: The data set.
        data: Splits of the data set, and reading options.
        genotype: Genotype of the network.
        settings: Settings of the training.
        teacher: `network.keras` of a trained teacher; `None` trains without distillation.
        seed: Seed of weights, shuffling and augmentation.
        trained_on: Record of the training images, stored in the network.

    Raises:
        FileNotFoundError: The teacher or the initial network does not exist.
        ValueError: A setting is out of range, the teacher has other classes or another
            normalisation of images, or the initial network has another genotype or other classes.
    """
    check_training(settings, source.class_names, genotype)
    loaded_teacher = None if teacher is None else _load_teacher(teacher, source)
    keras.utils.set_random_seed(seed)
    samples = source.samples(data.train_split)
    class_weights = resolve_class_weights(settings.class_weights, source, samples)
    batches = training_batches(source, samples, **batch_options(settings, data, seed))
    network = space_of(genotype).build(
        genotype,
        source.num_classes,
        auxiliary_heads=True,
        mean=source.mean,
        std=source.std,
        classes=source.classes,
        trained_on=trained_on,
        dropout=settings.dropout,
        dtype=settings.precision,
    )
    if settings.initial_weights is not None:
        initial_weights = pathlib.Path(settings.initial_weights)
        transfer = initialize_network(network, initial_weights, new_heads=settings.new_heads)
        logging.info("%s", transfer.sentence(initial_weights))
    trainer = make_trainer(
        network,
        loaded_teacher,
        settings,
        batches.steps_per_epoch,
        class_weights,
    )
    if not workers.is_chief():
        fit(trainer, batches, settings.epochs, folder)
        return folder / NETWORK
    evaluated = EvaluatedNetwork(network, trainer.optimizer)
    deployed = evaluated.network.without_auxiliary_heads()
    runner = KerasRunner(deployed, network.mean, network.std)
    images = evaluation_images(source, data.val_split)

    def score() -> EvaluationResult:
        evaluated.update()
        result = evaluate(runner, images, source.num_classes, source.class_names, progress=False)
        logging.info("mIoU on %s: %.4f", data.val_split, result.miou)
        return result

    def save(result: EvaluationResult) -> None:
        with atomic_path(folder / NETWORK) as path:
            evaluated.network.save(path)
        write_json(folder / EVALUATION, result.to_json())

    genotype.save(folder / GENOTYPE)
    keep_best = KeepBest(score, save, settings.evaluate_every, settings.epochs)
    shown = shown_images(source, data.val_split)
    callbacks = [
        keep_best,
        SamplePredictions(folder, keep_best, runner, shown, source.palette),
        StopEarly(keep_best, settings.patience),
    ]
    fit(trainer, batches, settings.epochs, folder, callbacks)
    return folder / NETWORK


def make_trainer(
    network: SegmentationNetwork,
    teacher: keras.Model | None,
    settings: TrainSettings,
    steps_per_epoch: int,
    class_weights: Sequence[float] | None = None,
) -> DistillationTrainer:
    """Returns the compiled trainer of a network, with its optimizer built."""
    trainer = DistillationTrainer(
        network,
        teacher,
        prediction=network.prediction,
        auxiliary_weight=settings.auxiliary_weight,
        distillation_weight=settings.distillation_weight,
        distillation=settings.distillation,
        distillation_temperature=settings.distillation_temperature,
        distillation_reduction=settings.distillation_reduction,
        threshold=settings.ohem_threshold,
        class_weights=class_weights,
        boundary_weight=settings.boundary_weight,
        loss_stride=settings.loss_stride,
        sync_batch_norm=settings.sync_batch_norm,
    )
    optimizer = training_optimizer(settings, steps_per_epoch, network.trainable_variables)
    trainer.compile(optimizer=optimizer)
    return trainer


def check_training(
    settings: TrainSettings,
    class_names: Sequence[str] | None = None,
    genotype: Genotype | None = None,
) -> None:
    """Raises `ValueError` or `FileNotFoundError` if a training with `settings` could not begin.

    Args:
        settings: Settings of the training.
        class_names: Classes of the data, if known.
        genotype: Genotype of the network to train, if known.
    """
    check_optimizer(settings)
    check_class_weight_setting(settings.class_weights, class_names)
    if settings.initial_weights is None:
        return
    initial = pathlib.Path(settings.initial_weights)
    if not initial.is_file():
        raise FileNotFoundError(
            f"The initial network {initial} (`initial_weights`) does not exist."
        )
    trained = load_network(initial)
    check_genotype(trained, trained.genotype if genotype is None else genotype, initial)
    if class_names is not None and not settings.new_heads:
        check_initial_classes(trained, class_names, initial)


def _load_teacher(path: pathlib.Path, source: SegmentationSource) -> keras.Model:
    teacher = load_network(path)
    check_network_classes(teacher, f"The teacher {path}", source)
    require(
        (teacher.mean, teacher.std) == (tuple(source.mean), tuple(source.std)),
        f"The teacher {path} expects images normalised with mean={teacher.mean} and "
        f"std={teacher.std}, but {source.name} uses mean={tuple(source.mean)} and "
        f"std={tuple(source.std)}; train the teacher on this data set, or use the same for both.",
    )
    return teacher.without_auxiliary_heads()


def training_stage(
    run: Run,
    genotype: Genotype,
    settings: TrainSettings,
    role: str = STUDENT,
    teacher: PathLike | None = None,
    name: str | None = None,
) -> pathlib.Path:
    """Trains the network of `genotype` into the folder of its stage and returns its file.

    A finished training is prolonged if only the number of epochs is increased and the schedule does
    not depend on it.

    Args:
        run: The run.
        genotype: Genotype of the network.
        settings: Settings of the training.
        role: "teacher" or "student".
        teacher: `network.keras` of a trained teacher from which a student is distilled, if any.
        name: Name of the stage and its folder; `None` uses the role.

    Raises:
        ValueError: A setting is wrong or differs from that of the finished stage, or `teacher` is
            given for the role teacher.
        OSError: A folder or file is missing or cannot be written.
    """
    require(role in (TEACHER, STUDENT), f"The role must be teacher or student. Received: {role!r}")
    require(
        role == STUDENT or teacher is None,
        f"A teacher learns from labels only; omit the teacher {teacher}, or train a student.",
    )
    name = name or role
    teacher = None if teacher is None else pathlib.Path(teacher)
    if teacher is not None and not teacher.is_file():
        raise FileNotFoundError(f"The trained teacher {teacher} does not exist.")
    recorded = run.workdir.recorded(name)
    grows = recorded is not None and recorded.get(role, {}).get("epochs", 0) < settings.epochs
    if recorded is None or grows:
        facts = check_data(run.data)
        check_training(settings, facts.class_names, genotype)
        check_images(role, settings, facts)
    source = run.source
    depends = {**run.data_record(), **_space_of_search(run, role, genotype), "seed": run.seed}
    if role == STUDENT:
        depends |= _record_of_teacher(run, teacher)
    depends |= {role: settings, f"{role}_genotype": genotype.id}
    inputs: dict[str, Input | None] = {**run.splits(run.data.train_split, run.data.val_split)}
    if teacher is not None:
        inputs["the teacher"] = network_input(teacher)
    if settings.initial_weights is not None:
        inputs["the initial weights"] = if_there(network_input, settings.initial_weights)
    prolong = more_epochs(recorded, plain(depends), role) > 0
    if prolong:
        check_prolonging(run.workdir, name, role, plain(settings))
    trained_on = run.trained_on()
    with local_devices(settings.batch_size):
        folder = run.workdir.stage(
            name,
            depends,
            lambda folder: train(
                folder, source, run.data, genotype, settings, teacher, run.seed, trained_on
            ),
            inputs=inputs,
            keep_checkpoint=True,
            prolong=prolong,
        )
    return folder / NETWORK


def _space_of_search(run: Run, role: str, genotype: Genotype) -> dict[str, Any]:
    """The recorded search space of the run, if the genotype is from its search."""
    record = run.workdir.recorded("search")
    path = run.path / "search" / f"{role}.json"
    if record is None or not path.is_file() or load_genotype(path).id != genotype.id:
        return {}
    return {name: record[name] for name in ("space", "supernet") if name in record}


def _record_of_teacher(run: Run, teacher: pathlib.Path | None) -> dict[str, Any]:
    """Record of the teacher, if it was trained in this run."""
    record = run.workdir.recorded(TEACHER)
    if teacher is None or record is None:
        return {}
    if teacher.resolve() != run.network(TEACHER).resolve():
        return {}
    return {name: record[name] for name in ("teacher", "teacher_genotype")}
