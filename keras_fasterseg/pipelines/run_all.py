"""Job: the whole road, from labelled images to a measured SavedModel."""

import dataclasses
from typing import Any

import numpy as np
import tabulate
from absl import logging

from keras_fasterseg.data.label_statistics import constant_predictor_miou, label_histogram
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import PathLike, read_json, write_json
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.latency.operations import multiply_accumulates
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.pipelines.benchmark import benchmark
from keras_fasterseg.pipelines.datasets import check_crop, check_source, open_source
from keras_fasterseg.pipelines.evaluate import evaluate
from keras_fasterseg.pipelines.export import export
from keras_fasterseg.pipelines.measure_latency import TABLE, measure_latency
from keras_fasterseg.pipelines.pretrain import WEIGHTS, pretrain
from keras_fasterseg.pipelines.search import check_search, search
from keras_fasterseg.pipelines.settings import (
    BenchmarkSettings,
    DataSettings,
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    SupernetSettings,
    TrainSettings,
    require,
)
from keras_fasterseg.pipelines.train import MODEL, load_network, train
from keras_fasterseg.pipelines.workdir import Workdir
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.spaces.fasterseg.stages import network_stages, predicted_latency_ms

SUMMARY = "summary.json"


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The settings of every stage."""

    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    supernet: SupernetSettings = dataclasses.field(default_factory=SupernetSettings)
    latency: LatencySettings = dataclasses.field(default_factory=LatencySettings)
    pretrain: PretrainSettings = dataclasses.field(default_factory=PretrainSettings)
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    teacher: TrainSettings = dataclasses.field(default_factory=TrainSettings)
    student: TrainSettings = dataclasses.field(default_factory=TrainSettings)
    benchmark: BenchmarkSettings = dataclasses.field(default_factory=BenchmarkSettings)
    seed: int = 0


def run_all(path: PathLike, settings: RunSettings) -> dict[str, Any]:
    """Runs every stage that is not finished yet and returns the summary.

    The folder then has: `data/` (if generated), `latency/`, `pretrain/`, `search/`, `teacher/`,
    `student/`, `export/{teacher,student}/1` (SavedModels), `benchmark/` and `summary.json`.

    Raises:
        ValueError: A setting is wrong, or a finished stage had another one.
        OSError: A folder is missing or cannot be written.
    """
    _check(settings)
    workdir = Workdir(path)
    root, seed = workdir.path, settings.seed
    source = open_source(settings.data, root, seed)
    check_source(source, settings.data)
    shared = {"data": settings.data, "supernet": settings.supernet, "seed": seed}
    minutes: dict[str, float] = {}

    def stage(name, depends, run):
        folder = workdir.stage(name, depends, run)
        minutes[name] = workdir.minutes(name)
        return folder

    measuring = {
        "supernet": settings.supernet,
        "latency": settings.latency,
        "num_classes": source.num_classes,
    }
    latency = stage(
        "latency",
        measuring,
        lambda folder: measure_latency(
            folder, settings.supernet, settings.latency, source.num_classes
        ),
    )
    table = LatencyTable.load(latency / TABLE)
    pretrained = stage(
        "pretrain",
        {**shared, "pretrain": settings.pretrain},
        lambda folder: pretrain(
            folder, source, settings.data, settings.supernet, settings.pretrain, seed
        ),
    )
    searched = stage(
        "search",
        {**shared, **measuring, "pretrain": settings.pretrain, "search": settings.search},
        lambda folder: search(
            folder,
            source,
            settings.data,
            settings.supernet,
            settings.search,
            table,
            pretrained / WEIGHTS,
            seed,
        ),
    )
    genotypes = {role: Genotype.load(searched / f"{role}.json") for role in (TEACHER, STUDENT)}
    ids = {role: genotype.id for role, genotype in genotypes.items()}
    # What a stage depends on is what the stages before it depended on, save for what the
    # genotypes say already: a network trained anew is exported anew.
    trained = dict(shared)
    networks = {}
    for role, training, teacher in (
        (TEACHER, settings.teacher, None),
        (STUDENT, settings.student, root / TEACHER / MODEL),
    ):
        trained |= {role: training, f"{role}_genotype": ids[role]}
        folder = stage(
            role,
            trained,
            lambda folder, role=role, training=training, teacher=teacher: train(
                folder, source, settings.data, genotypes[role], training, teacher, seed
            ),
        )
        networks[role] = folder / MODEL
    results = stage(
        "export",
        trained,
        lambda folder: _export(folder, networks, source, settings.data.val_split),
    )
    measured = stage(
        "benchmark",
        {"benchmark": settings.benchmark, "genotypes": ids},
        lambda folder: _benchmark(folder, results, settings.benchmark),
    )
    histogram = label_histogram(source.samples(settings.data.val_split), source)
    summary = {
        "dataset": source.name,
        "num_classes": source.num_classes,
        "constant_predictor_miou": constant_predictor_miou(np.asarray(histogram)),
        "minutes": {name: round(value, 2) for name, value in minutes.items()},
        "latency_table": str(latency / TABLE),
    }
    for role in (TEACHER, STUDENT):
        summary[role] = {
            **_describe(genotypes[role], source, settings.benchmark, networks[role]),
            "miou": read_json(results / f"{role}.json")["miou"],
            "per_class": read_json(results / f"{role}.json")["per_class"],
            "fps": read_json(measured / f"{role}.json")["fps"],
            "benchmark": str(measured / f"{role}.json"),
            "saved_model": str(results / role / "1"),
        }
    summary[STUDENT]["latency_ms_predicted"] = predicted_latency_ms(
        genotypes[STUDENT], table, source.num_classes
    )
    write_json(root / SUMMARY, summary)
    return summary


def summary_tables(summary: dict[str, Any]) -> str:
    """The summary for people: the networks side by side, then IoU of every class."""
    constant = summary["constant_predictor_miou"]
    height, width = summary[STUDENT]["input_size"]
    rows = [
        (
            role,
            f"{100 * each['miou']:.2f}",
            f"{each['fps']:.1f}",
            f"{each['parameters_inference']:,}",
            f"{each['macs'] / 1e9:.2f}",
            each["saved_model"],
        )
        for role, each in ((role, summary[role]) for role in (TEACHER, STUDENT))
    ]
    rows.append(("constant predictor", f"{100 * constant:.2f}", "", "0", "0", ""))
    headers = ("network", "mIoU %", f"FPS {height}x{width}", "parameters", "GMACs", "SavedModel")
    networks = tabulate.tabulate(rows, headers=headers, disable_numparse=True)
    classes = tabulate.tabulate(
        [
            (name, *(_percent(summary[role]["per_class"][name]) for role in (TEACHER, STUDENT)))
            for name in summary[STUDENT]["per_class"]
        ],
        headers=("class", "teacher IoU %", "student IoU %"),
        colalign=("left", "right", "right"),
        disable_numparse=True,
    )
    return f"{classes}\n\n{networks}"


def _check(settings: RunSettings) -> None:
    # What is wrong with a late stage had better be said before the early ones have run for days.
    for each in (settings.pretrain, settings.search, settings.teacher, settings.student):
        check_crop(each.crop_size)
    check_search(settings.search)
    for each in (settings.teacher, settings.student):
        require(each.epochs >= 1, f"Training needs an epoch. Received: epochs={each.epochs}")


def _export(folder, networks, source: SegmentationSource, split: str) -> None:
    for role, network in networks.items():
        target = export(network, folder / role / "1", source.class_names, overwrite=True)
        result = evaluate(target, source, split)
        logging.info("%s: mIoU %.4f by the SavedModel", role, result.miou)
        write_json(folder / f"{role}.json", result.to_json())


def _benchmark(folder, exported, settings: BenchmarkSettings) -> None:
    for role in (TEACHER, STUDENT):
        benchmark(exported / role / "1", settings).save(folder / f"{role}.json")


def _describe(genotype, source, settings: BenchmarkSettings, network) -> dict[str, Any]:
    # A benchmark may use any size; operations are counted at the padded one that really runs.
    padded = tuple(-(-side // 32) * 32 for side in settings.input_size)
    stages = network_stages(genotype, padded, source.num_classes)
    deployed = load_network(network).without_auxiliary_heads()
    return {
        "genotype": genotype.id,
        "branches": [branch.scale for branch in genotype.branches],
        "input_size": list(settings.input_size),
        "parameters_inference": int(
            sum(np.prod(weight.shape) for weight in deployed.trainable_weights)
        ),
        "macs": sum(
            multiply_accumulates(key)
            for stage in stages
            if not stage.training_only
            for key in stage.keys
        ),
    }


def _percent(value: float | None) -> str:
    return "absent" if value is None else f"{100 * value:.2f}"
