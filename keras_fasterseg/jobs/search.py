"""Job: search the teacher's and the student's architecture."""

import pathlib

import keras
from absl import logging

from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import write_json
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.jobs.search_pictures import SearchPictures
from keras_fasterseg.latency.costs import LatencyCosts
from keras_fasterseg.latency.decoupled import CODE, PAPER, LatencyWeights, auto_weights
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.datasets import (
    batch_options,
    bilevel_batches,
    shown_images,
    supernet_evaluation_batches,
)
from keras_fasterseg.run.fit import fit
from keras_fasterseg.run.names import LATENCY_TABLE
from keras_fasterseg.run.search_report import SearchReport, without_nan
from keras_fasterseg.run.training_callbacks import decaying_sgd
from keras_fasterseg.search.bilevel_trainer import BilevelTrainer, LatencyPenalty
from keras_fasterseg.search.freed_memory import returned_to_system
from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.search.penalty_controller import PenaltyController
from keras_fasterseg.search.supernet_evaluation import SupernetEvaluator
from keras_fasterseg.search.supernets import SearchSpace, build_search_space
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.stages import DataSettings, SearchSettings, SupernetSettings
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.spaces.fasterseg.latency_costs import latency_costs


def search(
    folder: pathlib.Path,
    source: SegmentationSource,
    data: DataSettings,
    supernet: SupernetSettings,
    settings: SearchSettings,
    table: LatencyTable,
    pretrained: pathlib.Path | None,
    seed: int,
) -> dict[str, Genotype]:
    """Searches from the weights in `pretrained` and returns the genotypes by role.

    Goes on from the newest checkpoint in `folder`, if there is one, with the table that it began
    with, a copy of which is kept there: `table` may since have been calibrated anew. Writes
    `teacher.json` and `student.json` (genotypes), `search.json` (an epoch each), `gap.json`
    (accuracy that is lost by taking the likeliest choices), an `epoch_NNN/` each, and what `fit`
    writes.

    Raises:
        ValueError: A setting is out of its range.
        KeyError: The table lacks an operation of the space.
    """
    check_search(settings)
    keras.utils.set_random_seed(seed)
    batches = bilevel_batches(
        source,
        source.samples(data.train_split),
        **batch_options(settings, data, seed),
    )
    space = build_search_space(supernet, source.num_classes, seed)
    if pretrained is not None:
        space.supernet.load_weights(pretrained)
    table = table_of_search(folder, table)
    costs = latency_costs(
        table,
        base_filters=supernet.base_filters,
        width_multipliers=supernet.width_multipliers,
        stem_head_width=supernet.student_width,
    )
    trainer = make_bilevel_trainer(space, settings, costs, batches.steps_per_epoch)
    validation = supernet_evaluation_batches(
        source, data.val_split, settings.validation_images, settings.downsample
    )
    band = (settings.min_fps, settings.max_fps)
    report = SearchReport(folder, table, SupernetEvaluator(space.supernet, validation), band)
    shown = shown_images(source, data.val_split, settings.downsample, SIZE_MULTIPLE)
    callbacks = [
        PenaltyController(report.candidate_fps, *band),
        _temperature_schedule(settings),
        report,
        SearchPictures(folder, report, shown, source.palette, source.mean, source.std),
    ]
    with without_graph_rewriting(), returned_to_system():
        fit(trainer, batches, settings.epochs, folder, callbacks)
        gap = report.discretization_gap()
    logging.info("mIoU of the supernet, and with its likeliest choices alone: %s", gap)
    write_json(folder / "gap.json", without_nan(gap))
    warning = report.outside_band()
    if warning is not None:
        logging.warning("%s", warning)
    genotypes = {role: report.best[role].genotype for role in (TEACHER, STUDENT)}
    for role, genotype in genotypes.items():
        genotype.save(folder / f"{role}.json")
    return genotypes


def table_of_search(folder: pathlib.Path, table: LatencyTable) -> LatencyTable:
    """The table that the search in `folder` began with; `table` if it begins now."""
    path = folder / LATENCY_TABLE
    if Checkpoints(folder).exist() and path.is_file():
        return LatencyTable.load(path)
    table.save(path)
    return table


def check_search(settings: SearchSettings) -> None:
    """Raises `ValueError` if a search with `settings` could not begin."""
    check_settings(settings)
    require(
        settings.min_fps < settings.max_fps,
        "The band of frame rates must not be empty. "
        f"Received: min_fps={settings.min_fps}, max_fps={settings.max_fps}",
    )


def make_bilevel_trainer(
    space: SearchSpace, settings: SearchSettings, costs: LatencyCosts, steps_per_epoch: int
) -> BilevelTrainer:
    """The compiled trainer of weights and architectures, its optimizers built."""
    target_ms = 2000.0 / (settings.min_fps + settings.max_fps)
    shares = _shares(settings.penalty_shares, costs, space.supernet.num_layers)
    trainer = BilevelTrainer(
        space.supernet,
        space.teacher,
        space.student,
        penalty=LatencyPenalty(costs, target_ms, shares),
        penalty_weight=settings.penalty_weight,
        temperature=settings.temperature,
    )
    trainer.compile(
        optimizer=decaying_sgd(
            settings.learning_rate,
            settings.learning_rate_decay,
            steps_per_epoch,
            settings.momentum,
            settings.weight_decay,
            settings.clip_norm,
        ),
        architecture_optimizer=keras.optimizers.Adam(
            settings.architecture_learning_rate, beta_1=0.5, beta_2=0.999
        ),
    )
    return trainer


def _shares(name: str, costs: LatencyCosts, num_layers: int) -> LatencyWeights | None:
    """What `LatencyPenalty` takes: None for an undivided latency."""
    if name == "auto":
        return auto_weights(costs, num_layers)
    return {"paper": PAPER, "code": CODE, "undivided": None}[name]


def _temperature_schedule(settings: SearchSettings) -> keras.callbacks.Callback:
    def set_temperature(epoch, logs=None):
        temperature = settings.temperature * settings.temperature_decay**epoch
        callback.model.temperature.assign(temperature)

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=set_temperature)
    return callback
