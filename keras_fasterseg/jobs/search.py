"""Job: search for the architectures of teacher and student."""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
from absl import logging

from keras_fasterseg import workers
from keras_fasterseg.classes import check_same_classes
from keras_fasterseg.data.search_parts import PARTS_RECORD, batch_images, search_parts
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import PathLike, read_json, write_json
from keras_fasterseg.jobs.draw_search import PAGE, write_page
from keras_fasterseg.jobs.sampled_search import sampled_search
from keras_fasterseg.jobs.search_pictures import SearchPictures
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.class_weights import check_class_weight_setting, resolve_class_weights
from keras_fasterseg.run.data_checks import check_data, check_images
from keras_fasterseg.run.datasets import (
    batch_options,
    bilevel_batches,
    shown_images,
    training_batches,
)
from keras_fasterseg.run.fit import fit
from keras_fasterseg.run.inputs import file_input, table_input
from keras_fasterseg.run.latency_tables import check_rows, load_table
from keras_fasterseg.run.local_devices import local_devices
from keras_fasterseg.run.names import LATENCY_TABLE, RECORD, SUPERNET_WEIGHTS
from keras_fasterseg.run.optimizers import architecture_optimizer, search_optimizer
from keras_fasterseg.run.run import TABLE_INPUT, Run
from keras_fasterseg.run.scored_networks import make_ranker
from keras_fasterseg.run.search_report import SearchReport, without_nan
from keras_fasterseg.run.workdir import plain
from keras_fasterseg.search.freed_memory import returned_to_system
from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.search.noise_entropies import noise_entropies
from keras_fasterseg.search.penalty_controller import PenaltyController
from keras_fasterseg.search.search_trainer import SearchTrainer
from keras_fasterseg.search.supernet_evaluation import SupernetEvaluator
from keras_fasterseg.search.supernet_trainer import check_backend
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.search import (
    GRADIENT,
    MOST_MACS,
    MOST_PARAMETERS,
    SearchSettings,
)
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.base import SearchModel, SearchSpace
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import load_genotype
from keras_fasterseg.spaces.roles import STUDENT


def search(
    folder: pathlib.Path,
    source: SegmentationSource,
    data: DataSettings,
    space: SearchSpace,
    settings: SearchSettings,
    table: LatencyTable,
    pretrained: pathlib.Path | None,
    seed: int,
) -> dict[str, Genotype]:
    """Searches from the weights in `pretrained` and returns the genotypes by role.

    Resumes from the newest checkpoint in `folder`, if it has one. It then uses the copy in `folder`
    of the table with which the search began, since `table` may have been calibrated again. Writes
    `teacher.json` and `student.json` (genotypes), `search.json` (a record per epoch), `gap.json`
    (accuracy lost by using only the likeliest choices), `ranking.json` (all epochs' networks,
    ranked at the end), an `epoch_NNN/` per epoch, and the files of `fit`.

    Raises:
        ValueError: A setting is out of range.
        KeyError: The table lacks an operation of the space.
    """
    check_search(settings, space, source.class_names, pretrained)
    keras.utils.set_random_seed(seed)
    parts = search_parts(source.samples(data.train_split), seed)
    options = batch_options(settings, data, seed)
    if space.single_level:
        batches = training_batches(source, parts.fitted, **options)
    else:
        batches = bilevel_batches(source, parts, **options)
    model = space.search_model(source.num_classes, seed, settings.precision)
    model.ssr_weight = settings.ssr_weight
    model.class_weights = resolve_class_weights(settings.class_weights, source, parts.fitted)
    if pretrained is not None:
        model.supernet.load_weights(pretrained)
    table = table_of_search(folder, table)
    trainer = make_search_trainer(space, model, settings, table, batches.steps_per_epoch)
    if not workers.is_chief():
        with without_graph_rewriting(), returned_to_system():
            fit(trainer, batches, settings.epochs, folder)
        return {}
    ranker = make_ranker(model, source, data, settings, seed)
    band = (settings.min_fps, settings.max_fps)
    noise = noise_entropies(
        model,
        settings.architecture_learning_rate,
        settings.architecture_beta_1,
        batches.steps_per_epoch,
        settings.epochs,
    )
    report = SearchReport(folder, table, ranker, band, noise)
    shown = shown_images(source, data.val_split, settings.downsample, SIZE_MULTIPLE)
    callbacks = [
        *model.callbacks(),
        _penalty_controller(trainer, report, band),
        _temperature_schedule(settings),
        report,
        SearchPictures(folder, report, shown, source.palette, source.mean, source.std),
    ]
    with without_graph_rewriting(), returned_to_system():
        fit(trainer, batches, settings.epochs, folder, callbacks)
        gap = report.discretization_gap(SupernetEvaluator(model, ranker.training, ranker.samples))
        report.choose()
    logging.info("mIoU of the supernet, of its likeliest choices and of the network: %s", gap)
    write_json(folder / "gap.json", without_nan(gap))
    warning = report.outside_band()
    if warning is not None:
        logging.warning("%s", warning)
    genotypes = {role: report.best[role].genotype for role in space.roles}
    for role, genotype in genotypes.items():
        genotype.save(folder / f"{role}.json")
    return genotypes


def table_of_search(folder: pathlib.Path, table: LatencyTable) -> LatencyTable:
    """The table with which the search in `folder` began, or `table` if it begins now."""
    path = folder / LATENCY_TABLE
    if Checkpoints(folder).exist() and path.is_file():
        return LatencyTable.load(path)
    if workers.is_chief():
        table.save(path)
    return table


def check_search(
    settings: SearchSettings,
    space: SearchSpace,
    class_names: Sequence[str] | None = None,
    pretrained: PathLike | None = None,
) -> None:
    """Raises `ValueError` if a search with `settings` could not begin.

    Args:
        settings: Settings of the search.
        space: The search space.
        class_names: Classes of the data set, if known.
        pretrained: Weights of the supernet to start from, if not those of the stage `pretrain`.
    """
    check_backend()
    check_settings(settings)
    check_class_weight_setting(settings.class_weights, class_names)
    require(
        settings.penalty_shares in space.penalty_shares,
        f"The search space {space.name} has the penalty shares {', '.join(space.penalty_shares)}. "
        f"Received: --search_penalty_shares={settings.penalty_shares}",
    )
    require(
        space.pretrains
        or pretrained is not None
        or settings.strategy == GRADIENT
        or not settings.uses_weights,
        f"The strategy {settings.strategy} scores networks with the weights of a pretrained "
        f"supernet, and the search space {space.name} has no pretraining. Use "
        f"--search_strategy={GRADIENT}, {MOST_MACS} or {MOST_PARAMETERS}, or --search_networks=1.",
    )
    require(
        settings.ssr_weight == 0 or not space.has_own_ssr,
        f"The search space {space.name} has its own weights of the solution space regularization. "
        f"Received: --search_ssr_weight={settings.ssr_weight:g}",
    )
    require(
        settings.min_fps < settings.max_fps,
        "The band of frame rates is empty: min_fps must be below max_fps. "
        f"Received: min_fps={settings.min_fps}, max_fps={settings.max_fps}",
    )


def make_search_trainer(
    space: SearchSpace,
    model: SearchModel,
    settings: SearchSettings,
    table: LatencyTable,
    steps_per_epoch: int,
) -> SearchTrainer:
    """Returns the compiled trainer of weights and architectures, with its optimizers built."""
    target_ms = 2000.0 / (settings.min_fps + settings.max_fps)
    trainer = SearchTrainer(
        model,
        penalty=space.penalty(table, model.num_classes, target_ms, settings.penalty_shares),
        penalty_weight=settings.penalty_weight,
        temperature=settings.temperature,
        single_level=space.single_level,
        sync_batch_norm=settings.sync_batch_norm,
    )
    trainer.compile(
        optimizer=search_optimizer(settings, steps_per_epoch),
        architecture_optimizer=architecture_optimizer(settings),
    )
    return trainer


def _penalty_controller(
    trainer: SearchTrainer, report: SearchReport, band: tuple[float, float]
) -> PenaltyController:
    expected_ms = trainer.expected_ms
    if expected_ms is None:
        return PenaltyController(report.candidate_fps, *band)

    def expected_fps() -> list[float]:
        return [1000.0 / float(expected_ms(trainer.model.evaluation_choices(STUDENT)))]

    return PenaltyController(expected_fps, *band, two_sided=True)


def _temperature_schedule(settings: SearchSettings) -> keras.callbacks.Callback:
    def set_temperature(epoch, logs=None):
        callback.model.temperature.assign(settings.temperature_of(epoch))

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=set_temperature)
    return callback


def search_stage(
    run: Run,
    space: SearchSpace,
    settings: SearchSettings,
    pretrained: PathLike | None = None,
    latency_table: PathLike | None = None,
) -> dict[str, Genotype]:
    """Searches into `search/` and returns the genotypes by role.

    Args:
        run: The run.
        space: The search space.
        settings: Settings of the search.
        pretrained: Weights to start from; `None` uses those of the stage `pretrain`.
        latency_table: File of the table; `None` uses that of the stage `latency`.

    Raises:
        ValueError: A setting is wrong or differs from that of the finished stage, or the weights or
            the table are of another supernet.
        OSError: A folder or file is missing or cannot be written.
    """
    check_search(settings, space, pretrained=pretrained)
    if latency_table is not None:
        load_table(latency_table, space=space.name)
    if pretrained is not None and not pathlib.Path(pretrained).is_file():
        raise FileNotFoundError(f"The file of pretrained weights {pretrained} does not exist.")
    if run.workdir.recorded("search") is None:
        facts = check_data(run.data)
        check_search(settings, space, facts.class_names, pretrained)
        images = batch_images(facts.train_images, space.single_level)
        check_images("search", settings, facts, images)
    source = run.source
    depends: dict[str, Any] = {
        **run.data_record(),
        **space.record(),
        **PARTS_RECORD,
        "seed": run.seed,
        "num_classes": source.num_classes,
        "search": settings,
    }
    threads = None
    if latency_table is None:
        record = _finished(run, "latency", space, "tools.measure_latency", "latency_table")
        depends["latency"] = record["latency"]
        threads = record["latency"].get("latency_threads")
        latency_table = run.table
    if pretrained is None and space.pretrains and settings.uses_weights:
        record = _finished(run, "pretrain", space, "tools.pretrain_supernet", "pretrained")
        depends["pretrain"] = record["pretrain"]
        pretrained = run.path / "pretrain" / SUPERNET_WEIGHTS
    table = load_table(latency_table, threads=threads, space=space.name)
    # Finds missing rows now, not in a late epoch whose candidate needs them.
    check_rows(table, latency_table, space, source.num_classes)
    inputs = {
        **run.splits(run.data.train_split, run.data.val_split),
        TABLE_INPUT: table_input(pathlib.Path(latency_table)),
    }
    weights = None
    if pretrained is not None:
        weights = pathlib.Path(pretrained)
        if not weights.is_file():
            raise FileNotFoundError(f"The file of pretrained weights {weights} does not exist.")
        _check_pretrained(weights, source)
        inputs["the pretrained weights"] = file_input(weights)
    with local_devices(settings.batch_size):
        folder = run.workdir.stage(
            "search",
            depends,
            lambda folder: (search if settings.strategy == GRADIENT else sampled_search)(
                folder, source, run.data, space, settings, table, weights, run.seed
            ),
            inputs=inputs,
        )
    if not workers.is_chief():
        return {}
    if not (folder / PAGE).is_file():
        write_page(run.path, folder / PAGE)
    return {role: load_genotype(folder / f"{role}.json") for role in space.roles}


def _finished(run: Run, name: str, space: SearchSpace, tool: str, flag: str) -> dict[str, Any]:
    """Record of the finished stage `name`, if it has the same space and settings."""
    record = run.workdir.recorded(name)
    if record is None:
        raise FileNotFoundError(
            f"{run.path} has no finished stage {name}; run `python -m {tool}` with this "
            f"workdir first, or give a file with --{flag}."
        )
    expected = (
        space.operations_record() if name == "latency" else {**space.record(), **PARTS_RECORD}
    )
    expected = plain(expected)
    before = {key: record.get(key) for key in expected}
    if before != expected:
        raise ValueError(
            f"{run.path / name} was made for another supernet or on other images: {before}; use "
            f"the same ones or another workdir. Received: {expected}"
        )
    return record


def _check_pretrained(weights: pathlib.Path, source: SegmentationSource) -> None:
    """Refuses weights whose stage recorded other classes; other files cannot be checked."""
    record = weights.parent / RECORD
    settings = read_json(record).get("settings", {}) if record.is_file() else {}
    names = settings.get("classes")
    if names is not None:
        whose = f"The supernet of {weights}"
        check_same_classes(names, None, whose, source.class_names, source.name)
