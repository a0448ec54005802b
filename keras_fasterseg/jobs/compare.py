"""Job: compare the networks of a search with others, trained and measured alike."""

import pathlib
from collections.abc import Sequence
from typing import Any

from absl import logging

from keras_fasterseg.benchmark.harness import InterleavedResult, interleaved, sentence_of_turns
from keras_fasterseg.benchmark.load import check_load
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.jobs.evaluate import evaluate, open_runner
from keras_fasterseg.jobs.export_stage import export_proven
from keras_fasterseg.jobs.train import training_stage
from keras_fasterseg.run.names import COMPARISON, Contestant, contestants
from keras_fasterseg.run.run import Run
from keras_fasterseg.run.trained_networks import describe_network
from keras_fasterseg.settings.stages import BenchmarkSettings, RunSettings
from keras_fasterseg.spaces.registry import load_genotype, load_preset
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

PUBLISHED = "fasterseg_student"


def compare(
    run: Run, settings: RunSettings, summary: dict[str, Any], command: str | None = None
) -> dict[str, Any]:
    """Compares the networks of a finished run with others of the same training and seed.

    The others are the searched student without its teacher, if the space has one, and the published
    student of FasterSeg, trained from scratch. All are trained with the student's settings
    (the teacher with its own), exported as SavedModels, scored and measured. Frame rates are
    measured in turns, so that the state of the machine affects all of them alike. Finished stages
    are not repeated.

    Args:
        run: The run.
        settings: Settings of every stage.
        summary: Result of `run_all`.
        command: Command line, for the record.

    Returns:
        The content of `comparison.json`: a row for each network, the constant predictor's mIoU,
        the entropies of the search by epoch and the minutes of the stages.

    Raises:
        ValueError: A finished stage has other settings.
        OSError: A folder is missing or cannot be written.
    """
    searched = load_genotype(run.path / "search" / f"{STUDENT}.json")
    taught = TEACHER in settings.space.roles
    if taught:
        training_stage(run, searched, settings.student, name="student_alone")
    training_stage(run, load_preset(PUBLISHED), settings.student, name="published_student")
    compared = contestants(settings.space.roles)
    depends = {each.stage: run.workdir.recorded(each.stage) for each in compared}
    folder = run.workdir.stage(
        "comparison",
        {"benchmark": settings.benchmark, "networks": depends},
        lambda folder: _measure(folder, run, settings.benchmark, compared),
        inputs=run.scored_inputs(each.stage for each in compared),
    )
    measured = read_json(folder / "benchmark.json")["results"]
    alone = ["student_alone"] if taught else []
    stages = [*summary["minutes"], *alone, "published_student", "comparison"]
    comparison = {
        "dataset": run.source.name,
        "split": settings.data.val_split,
        "command": command,
        "seed": settings.seed,
        "minutes": {name: round(run.workdir.minutes(name), 2) for name in stages},
        "input_size": list(settings.benchmark.input_size),
        "device": sentence_of_turns(measured[STUDENT]),
        "rows": [_row(each, run, folder, measured, settings) for each in compared],
        "constant_predictor_miou": summary["constant_predictor_miou"],
        "entropies": summary["entropies"],
    }
    write_json(run.path / COMPARISON, comparison)
    return comparison


def _measure(
    folder: pathlib.Path, run: Run, settings: BenchmarkSettings, compared: Sequence[Contestant]
) -> None:
    runners = {}
    for each in compared:
        target = folder / each.stage / "1"
        export_proven(run, run.network(each.stage), target)
        result = evaluate(target, run.source, run.data.val_split)
        logging.info("%s: mIoU %.4f with the SavedModel", each.stage, result.miou)
        write_json(folder / f"{each.stage}.json", result.to_json())
        runners[each.stage] = open_runner(target)
    check_load(allow=True)
    measured: InterleavedResult = interleaved(
        runners,
        input_size=settings.input_size,
        batch_size=settings.batch_size,
        warmup=settings.warmup,
        min_repetitions=settings.repetitions,
        min_seconds=settings.seconds,
    )
    write_json(folder / "benchmark.json", measured.to_json())


def _row(
    each: Contestant,
    run: Run,
    folder: pathlib.Path,
    measured: dict[str, Any],
    settings: RunSettings,
) -> dict[str, Any]:
    facts = describe_network(run.network(each.stage), settings.benchmark.input_size)
    scores = read_json(folder / f"{each.stage}.json")
    training = settings.teacher if each.stage == TEACHER else settings.student
    return {
        "name": each.name,
        "distilled": each.distilled,
        "genotype": facts["genotype"],
        "miou": scores["miou"],
        "per_class": scores["per_class"],
        "parameters_inference": facts["parameters_inference"],
        "macs": facts["macs"],
        "fps": measured[each.stage]["fps"],
        "epochs": training.epochs,
    }
