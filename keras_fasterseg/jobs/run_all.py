"""Job: a run end to end, from labelled images to a measured SavedModel."""

from typing import Any

import numpy as np

from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.data.label_statistics import constant_predictor_miou, label_histogram
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.jobs.benchmark import benchmark_stage
from keras_fasterseg.jobs.checks import DataFacts, check_run
from keras_fasterseg.jobs.export_stage import export_stage
from keras_fasterseg.jobs.measure_latency import latency_stage
from keras_fasterseg.jobs.pretrain import pretrain_stage
from keras_fasterseg.jobs.search import search_stage
from keras_fasterseg.jobs.train import training_stage
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.names import SUMMARY
from keras_fasterseg.run.run import Run, stages_of
from keras_fasterseg.run.trained_networks import describe_network
from keras_fasterseg.settings.search import GRADIENT
from keras_fasterseg.settings.stages import RunSettings
from keras_fasterseg.spaces.cost import predicted_latency_ms
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.wording import text_table


def check_stages(run: Run, settings: RunSettings) -> DataFacts:
    """Checks the settings of the unfinished stages and returns the facts of the data.

    Raises:
        ValueError: A setting of any stage is wrong, or does not fit the data.
        OSError: A file or folder is missing.
    """
    finished = [
        name
        for name in stages_of(settings.space, settings.search)
        if run.workdir.recorded(name) is not None
    ]
    return check_run(settings, finished)


def run_all(run: Run, settings: RunSettings, command: str | None = None) -> dict[str, Any]:
    """Runs every stage that is not finished yet and returns the summary.

    Its folder then contains `data/` (if generated), `latency/`, `pretrain/`, `search/`, `teacher/`,
    `student/`, `export/{teacher,student}/1` (SavedModels), `benchmark/` and `summary.json`.

    Args:
        run: A run whose settings passed `check_stages`.
        settings: Settings of every stage.
        command: Command line, for the record.

    Raises:
        ValueError: A finished stage has other settings.
        OSError: A folder is missing or cannot be written.
    """
    num_classes = run.source.num_classes
    space = settings.space
    table = LatencyTable.load(latency_stage(run, space, settings.latency, num_classes))
    stages = stages_of(space, settings.search)
    if "pretrain" in stages:
        pretrain_stage(run, space, settings.pretrain)
    genotypes = search_stage(run, space, settings.search)
    teacher = None
    if TEACHER in space.roles:
        teacher = training_stage(run, genotypes[TEACHER], settings.teacher, TEACHER)
    training_stage(run, genotypes[STUDENT], settings.student, STUDENT, teacher)
    exported = export_stage(run, space.roles)
    measured = benchmark_stage(run, settings.benchmark, space.roles)

    histogram = label_histogram(run.source.samples(settings.data.val_split), run.source)
    summary = {
        "dataset": run.source.name,
        "num_classes": num_classes,
        "split": settings.data.val_split,
        "command": command,
        "constant_predictor_miou": constant_predictor_miou(np.asarray(histogram)),
        "minutes": {name: round(run.workdir.minutes(name), 2) for name in stages},
        "latency_table": str(run.table),
        "entropies": {},
    }
    if settings.search.strategy == GRADIENT:
        summary["entropies"] = _entropies(read_json(run.path / "search" / "search.json"))
    for role in space.roles:
        scores = read_json(exported / f"{role}.json")
        summary[role] = {
            **describe_network(run.network(role), settings.benchmark.input_size),
            "miou": scores["miou"],
            "per_class": scores["per_class"],
            "fps": read_json(measured / f"{role}.json")["fps"],
            "benchmark": str(measured / f"{role}.json"),
            "saved_model": str(exported / role / "1"),
        }
    summary[STUDENT]["latency_ms_predicted"] = predicted_latency_ms(
        genotypes[STUDENT], table, num_classes
    )
    write_json(run.path / SUMMARY, summary)
    return summary


def summary_tables(summary: dict[str, Any]) -> str:
    """The summary as text: IoU of every class, then the networks side by side."""
    constant = summary["constant_predictor_miou"]
    roles = [role for role in (TEACHER, STUDENT) if role in summary]
    height, width = summary[STUDENT]["input_size"]
    rows = [
        (
            role,
            f"{100 * each['miou']:.2f}",
            fps_text(each["fps"]),
            f"{each['parameters_inference']:,}",
            f"{each['macs'] / 1e9:.2f}",
            each["saved_model"],
        )
        for role, each in ((role, summary[role]) for role in roles)
    ]
    rows.append(("constant predictor", f"{100 * constant:.2f}", "", "0", "0", ""))
    headers = ("network", "mIoU %", f"FPS {height}x{width}", "parameters", "GMACs", "SavedModel")
    classes = [
        (name, *(_percent(summary[role]["per_class"][name]) for role in roles))
        for name in summary[STUDENT]["per_class"]
    ]
    scores = text_table(("class", *(f"{role} IoU %" for role in roles)), classes)
    return f"{scores}\n\n{text_table(headers, rows, 'l' * len(headers))}"


def _entropies(epochs: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Entropy after every epoch of the search, by role and family of choices."""
    return {
        role: {
            family: [epoch[role]["entropy"][family] for epoch in epochs]
            for family in epochs[0][role]["entropy"]
        }
        for role in (TEACHER, STUDENT)
        if role in epochs[0]
    }


def _percent(value: float | None) -> str:
    return "absent" if value is None else f"{100 * value:.2f}"
