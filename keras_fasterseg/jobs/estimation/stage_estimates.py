"""From a step of each stage to what all of it takes; nothing is run here."""

from collections.abc import Collection, Mapping
from typing import Any

from keras_fasterseg.jobs.checks import DataFacts
from keras_fasterseg.jobs.estimation import stage_costs
from keras_fasterseg.jobs.estimation.estimate import ASSUMED, StageEstimate
from keras_fasterseg.jobs.estimation.measurement import Measurement
from keras_fasterseg.jobs.estimation.probe import ProbeFailure
from keras_fasterseg.jobs.measure_latency import measured_keys
from keras_fasterseg.setting import Size
from keras_fasterseg.settings.stages import (
    PretrainSettings,
    RunSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER

Results = Mapping[str, Measurement | ProbeFailure]


def stage_estimates(
    settings: RunSettings,
    facts: DataFacts,
    results: Results,
    *,
    unfinished: Collection[str],
    bases: tuple[str, str],
    generates: bool,
    trained_bytes: Mapping[str, int],
) -> tuple[StageEstimate, ...]:
    """The estimates of the unfinished stages, in the order in which they run.

    Args:
        settings: Of every stage.
        facts: The data set.
        results: What a step takes, or why that is not known, by stage. A stage without one is
            not estimated, save for export and benchmark, which are always assumed.
        unfinished: Names of the stages that will run.
        bases: The basis of latency table and supernet, and that of teacher and student.
        generates: Whether synthetic images are yet to be generated.
        trained_bytes: By role, the size of a network that is trained already.
    """
    stages, data = [], settings.data
    if generates and data.dataset == "synthetic" and data.data_dir is None:
        count = data.synthetic_train_images + data.synthetic_val_images
        space = stage_costs.generated_disk_bytes(count, data.synthetic_size)
        stages.append(StageEstimate("data", ASSUMED, space, seconds=0.0))
    if "latency" in results:
        stages.append(_latency(results["latency"], settings, facts, bases[0]))
    cached = stage_costs.cached_bytes(facts.train_images, facts.size) if data.cache else 0
    for name, each, basis_of, networks in (
        ("pretrain", settings.pretrain, bases[0], 1),
        ("search", settings.search, bases[0], 0),
        # The network is replaced while it is still there.
        (TEACHER, settings.teacher, bases[1], 2),
        (STUDENT, settings.student, bases[1], 2),
    ):
        if name in results:
            stages.append(_training(name, each, results[name], facts, basis_of, networks, cached))
    if "export" in unfinished:
        stages.append(_export(settings, facts, results, trained_bytes))
    if "benchmark" in unfinished:
        stages.append(_benchmark(settings, results))
    return tuple(stages)


def _latency(result, settings: RunSettings, facts: DataFacts, basis: str) -> StageEstimate:
    keys = measured_keys(settings.supernet, settings.latency.latency_size, len(facts.class_names))
    if isinstance(result, ProbeFailure):
        return StageEstimate("latency", basis, 0, steps=len(keys), failure=result)
    return StageEstimate(
        "latency",
        basis,
        stage_costs.LOG_BYTES,
        stage_costs.latency_seconds(result.step_seconds, len(keys), settings.latency),
        len(keys),
        result.step_seconds,
        result.memory_bytes,
        result.gpu_bytes,
    )


def _training(
    name: str,
    settings: PretrainSettings | SearchSettings | TrainSettings,
    result: Measurement | ProbeFailure,
    facts: DataFacts,
    basis: str,
    networks: int,
    cached: int,
) -> StageEstimate:
    half = isinstance(settings, SearchSettings)
    steps = stage_costs.training_steps(
        settings, facts.train_images // 2 if half else facts.train_images
    )
    if isinstance(result, ProbeFailure):
        return StageEstimate(name, basis, 0, steps=steps, failure=result)
    seconds = stage_costs.training_seconds(result.first_seconds, result.step_seconds, steps)
    if result.gpu_bytes is None:
        seconds += steps * stage_costs.input_seconds(settings, facts.size)
    if isinstance(settings, SearchSettings):
        seconds += stage_costs.search_evaluation_seconds(
            result.step_seconds, settings, facts.size, facts.val_images
        )
    elif isinstance(settings, TrainSettings):
        seconds += stage_costs.training_evaluation_seconds(
            result.step_seconds, settings, facts.size, facts.val_images
        )
    return StageEstimate(
        name,
        basis,
        stage_costs.training_disk_bytes(result.weight_bytes, result.slot_bytes, networks),
        seconds,
        steps,
        result.step_seconds,
        result.memory_bytes + cached,
        result.gpu_bytes,
    )


def _export(
    settings: RunSettings, facts: DataFacts, results: Results, trained_bytes: Mapping[str, int]
) -> StageEstimate:
    seconds, space = 0.0, 0
    for role, each in ((TEACHER, settings.teacher), (STUDENT, settings.student)):
        image_seconds = _image_seconds(results.get(role), each, facts.size)
        seconds += stage_costs.export_seconds(image_seconds, facts.val_images)
        result = results.get(role)
        weights = result.weight_bytes if isinstance(result, Measurement) else trained_bytes[role]
        space += stage_costs.export_disk_bytes(weights)
    return StageEstimate("export", ASSUMED, space, seconds)


def _benchmark(settings: RunSettings, results: Results) -> StageEstimate:
    seconds = 0.0
    for role, each in ((TEACHER, settings.teacher), (STUDENT, settings.student)):
        image_seconds = _image_seconds(results.get(role), each, settings.benchmark.input_size)
        seconds += stage_costs.benchmark_seconds(image_seconds, settings.benchmark)
    return StageEstimate("benchmark", ASSUMED, stage_costs.LOG_BYTES, seconds)


def _image_seconds(result: Any, settings: TrainSettings, size: Size) -> float:
    """Time of an image through a trained network; 0 where its training was not measured."""
    step_seconds = result.step_seconds if isinstance(result, Measurement) else 0.0
    return stage_costs.forward_seconds(step_seconds, settings, size)
