"""From a few measured steps to what every stage of a run takes; nothing is run here."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from keras_fasterseg.pipelines.estimation import stage_costs
from keras_fasterseg.pipelines.estimation.estimate import ASSUMED, MEASURED, StageEstimate
from keras_fasterseg.pipelines.estimation.probe import ProbeFailure
from keras_fasterseg.pipelines.estimation.probe_steps import Measurement
from keras_fasterseg.pipelines.measure_latency import measured_keys
from keras_fasterseg.pipelines.settings import (
    PretrainSettings,
    RunSettings,
    SearchSettings,
    Size,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER

Results = Mapping[str, Measurement | ProbeFailure]


@dataclasses.dataclass(frozen=True)
class Images:
    """What the estimate has to know of a data set.

    Attributes:
        num_classes: Number of classes.
        num_train: Images of the training split.
        num_val: Images of the validation split.
        size: Height and width of an image.
    """

    num_classes: int
    num_train: int
    num_val: int
    size: Size


def stage_estimates(
    settings: RunSettings,
    images: Images,
    results: Results,
    *,
    unfinished: Collection[str],
    basis: str,
    generates: bool,
    trained_bytes: Mapping[str, int],
) -> tuple[StageEstimate, ...]:
    """What the unfinished stages take, in the order in which they run.

    Args:
        settings: Of every stage.
        images: The data set.
        results: What a few steps took, or why that is not known, by stage. A stage without one is
            not estimated, save for export and benchmark, which are never measured.
        unfinished: Names of the stages that will run.
        basis: Whether teacher and student were `MEASURED` themselves or `AT_MOST`.
        generates: Whether synthetic images are yet to be generated.
        trained_bytes: By role, the size of a network that is trained already.
    """
    stages, data = [], settings.data
    if generates and data.dataset == "synthetic" and data.data_dir is None:
        count = data.synthetic_train_images + data.synthetic_val_images
        space = stage_costs.generated_disk_bytes(count, data.synthetic_size)
        stages.append(StageEstimate("data", ASSUMED, space, seconds=0.0))
    if "latency" in results:
        stages.append(_latency(results["latency"], settings, images))
    cached = stage_costs.cached_bytes(images.num_train, images.size) if data.cache else 0
    for name, each, basis_of, networks in (
        ("pretrain", settings.pretrain, MEASURED, 1),
        ("search", settings.search, MEASURED, 0),
        # The network is replaced while it is still there.
        (TEACHER, settings.teacher, basis, 2),
        (STUDENT, settings.student, basis, 2),
    ):
        if name in results:
            stages.append(_training(name, each, results[name], images, basis_of, networks, cached))
    if "export" in unfinished:
        stages.append(_export(settings, images, results, trained_bytes))
    if "benchmark" in unfinished:
        stages.append(_benchmark(settings, results))
    return tuple(stages)


def _latency(result, settings: RunSettings, images: Images) -> StageEstimate:
    keys = measured_keys(settings.supernet, settings.latency.latency_size, images.num_classes)
    if isinstance(result, ProbeFailure):
        return StageEstimate("latency", MEASURED, 0, steps=len(keys), failure=result)
    return StageEstimate(
        "latency",
        MEASURED,
        stage_costs.LOG_BYTES,
        result.step_seconds * len(keys),
        len(keys),
        result.step_seconds,
        result.memory_bytes,
        result.gpu_bytes,
    )


def _training(
    name: str,
    settings: PretrainSettings | SearchSettings | TrainSettings,
    result: Measurement | ProbeFailure,
    images: Images,
    basis: str,
    networks: int,
    cached: int,
) -> StageEstimate:
    half = isinstance(settings, SearchSettings)
    steps = stage_costs.training_steps(
        settings, images.num_train // 2 if half else images.num_train
    )
    if isinstance(result, ProbeFailure):
        return StageEstimate(name, basis, 0, steps=steps, failure=result)
    seconds = stage_costs.training_seconds(result.first_seconds, result.step_seconds, steps)
    if isinstance(settings, SearchSettings):
        seconds += stage_costs.search_evaluation_seconds(
            result.step_seconds, settings, images.size, images.num_val
        )
    elif isinstance(settings, TrainSettings):
        seconds += stage_costs.training_evaluation_seconds(
            result.step_seconds, settings, images.size, images.num_val
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
    settings: RunSettings, images: Images, results: Results, trained_bytes: Mapping[str, int]
) -> StageEstimate:
    seconds, space = 0.0, 0
    for role, each in ((TEACHER, settings.teacher), (STUDENT, settings.student)):
        image_seconds = _image_seconds(results.get(role), each, images.size)
        seconds += stage_costs.export_seconds(image_seconds, images.num_val)
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
