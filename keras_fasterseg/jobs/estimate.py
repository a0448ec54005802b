"""Job: estimate the time, memory and disk of the unfinished stages of a run on this machine."""

import dataclasses
import math
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import psutil
from absl import logging

from keras_fasterseg.available_cores import available_cores, available_memory
from keras_fasterseg.data.search_parts import batch_images, held_out_count
from keras_fasterseg.files import PathLike, read_json, write_json
from keras_fasterseg.jobs.step_costs import (
    FORWARDS_A_STEP,
    StepCost,
    computed_step,
    measure_speed,
    passes_of,
)
from keras_fasterseg.jobs.step_measurements import measure_apart
from keras_fasterseg.reports.estimate_table import (
    ASSUMED,
    AT_MOST,
    COMPUTED,
    MEASURED,
    TYPICAL,
    Estimate,
    StageEstimate,
    StageTime,
    gigabytes,
    read_times,
)
from keras_fasterseg.run.data_checks import DataFacts
from keras_fasterseg.run.datasets import is_generated
from keras_fasterseg.run.run import stages_of
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.runtimes.operation_runner import operation_runtime
from keras_fasterseg.setting import Size
from keras_fasterseg.settings.search import GRADIENT, SearchSettings
from keras_fasterseg.settings.stages import MEASURED_ESTIMATE, QUICK_ESTIMATE, RunSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.cost import network_work
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import load_genotype
from keras_fasterseg.spaces.roles import STUDENT

ESTIMATE = "estimate.json"

# Assumptions, for two CPU cores.
EVALUATION_SECONDS = (
    15.0  # To score the supernet with statistics of its own, at the end of a search.
)
RANKING_SECONDS = 1.5  # To score a network with inherited weights.
EXPORT_SECONDS = 5.5  # To trace and write a SavedModel, or to load it.
LOG_BYTES = 20_000_000  # Logs, genotypes and scores per stage.
GRAPH_BYTES = 10_000_000  # A SavedModel without its weights.
GENERATED_BYTES_A_PIXEL = 2.5  # PNG files of an image and its labels.

# Number of random networks; the one of median work counts as typical.
_DRAWS = 3
# Computed memory may exceed the free memory by up to this factor without being refused.
_COMPUTED_MARGIN = 1.5


def estimate_run(
    path: PathLike,
    settings: RunSettings,
    facts: DataFacts,
    way: str = QUICK_ESTIMATE,
    limit_seconds: float = 600.0,
) -> Estimate:
    """Estimates time, memory and disk of each unfinished stage on this machine.

    The quick way computes a step of each stage from its multiply-accumulates and values, and from
    the rates of this machine, which are measured in half a second. The measured way runs a few
    steps of each training in a separate process, on random images of the true size, and computes
    the rest.

    Until the search is finished, the networks are the most expensive ones that it could find; in
    the quick way, the student is a network of median work.

    Args:
        path: Folder of the run; its `estimate.json` stores the estimate and the times of stages.
        settings: Settings of every stage.
        facts: Facts of the data set.
        way: `QUICK_ESTIMATE` or `MEASURED_ESTIMATE`.
        limit_seconds: Time limit for the few steps of each stage.

    Raises:
        ValueError: A setting is out of range.
        OSError: The folder cannot be written.
    """
    workdir = Workdir(path)
    unfinished, settings = _left(workdir, settings)
    genotypes, bases = _networks(workdir, settings, facts, way)
    arguments = (settings, len(facts.class_names), genotypes)
    # Memory that this process already uses is not counted twice.
    free = available_memory() + psutil.Process().memory_info().rss
    costs: dict[str, StepCost] = {}
    shortages: dict[str, str] = {}
    steps = [name for name in unfinished if name not in ("export", "benchmark")]
    for name in steps if way == MEASURED_ESTIMATE else ():
        if name != "latency":
            logging.info("Measuring a few steps of %s", name)
            try:
                costs[name] = measure_apart(name, *arguments, limit_seconds, free)
                bases.setdefault(name, MEASURED)
            except (MemoryError, RuntimeError) as error:
                logging.warning("The estimate of %s is computed, not measured: %s.", name, error)
                shortages |= {name: str(error)} if isinstance(error, MemoryError) else {}
    missing = [name for name in steps if name not in costs]
    if missing:
        latency = settings.latency
        of_table = "latency" in missing and latency.latency_runtime in (None, operation_runtime())
        speed = measure_speed(latency.latency_threads if of_table else None)
        costs |= {name: computed_step(name, *arguments, speed) for name in missing}
    stages = []
    for name in steps:
        stage = _stage(name, costs[name], bases.get(name, COMPUTED), settings, facts)
        stages.append(dataclasses.replace(stage, shortage=shortages.get(name)))
    stages += _results(unfinished, costs, settings, facts)
    if stages and is_generated(settings.data) and not (workdir.path / "data").is_dir():
        # The first stage generates the data.
        pixels = math.prod(facts.size) * (facts.train_images + facts.val_images)
        disk_bytes = stages[0].disk_bytes + round(GENERATED_BYTES_A_PIXEL * pixels)
        stages[0] = dataclasses.replace(stages[0], disk_bytes=disk_bytes)
    disk = next(each for each in (workdir.path, *workdir.path.absolute().parents) if each.exists())
    estimate = Estimate(tuple(stages), free, shutil.disk_usage(disk).free)
    rows = [StageTime(stage.name, stage.basis, stage.seconds) for stage in stages]
    ended = [row for row in _times_before(workdir.path / ESTIMATE) if row.name not in unfinished]
    content = {
        "estimate": dataclasses.asdict(estimate),
        "times": [dataclasses.asdict(row) for row in (*ended, *rows)],
    }
    write_json(workdir.path / ESTIMATE, content)
    return estimate


def check_fits(estimate: Estimate, force: bool = False) -> None:
    """Refuses a run that does not fit this machine.

    A stage whose network is not known yet (`AT_MOST`, `TYPICAL`) is not refused, nor one whose
    `COMPUTED` memory is too large by less than its margin: these cases, and all others with
    `force`, log a warning.

    Raises:
        ValueError: A stage needs more memory than is free.
        OSError: The stages need more disk space than is free.
    """
    free = estimate.free_memory_bytes
    refused = []
    for stage in estimate.stages:
        name, memory = stage.name, stage.memory_bytes or 0
        need = (
            f"The stage {name} needs {gigabytes(memory)} of memory ({stage.basis}), "
            f"but only {gigabytes(free)} are free"
        )
        if stage.shortage:
            need = f"The stage {name} does not fit: {stage.shortage}"
        elif memory <= free:
            continue
        flags = ("latency_size",)
        if name != "latency":
            flags = (f"{name}_batch_size", f"{name}_crop_size")
        need += f"; reduce --{' or --'.join(flags)}"
        within = stage.basis == COMPUTED and memory <= _COMPUTED_MARGIN * free
        if force or stage.basis in (AT_MOST, TYPICAL) or (within and not stage.shortage):
            logging.warning("%s.", need)
        else:
            refused.append(need)
    if refused:
        raise ValueError(f"{'. '.join(refused)}. Use --force to run anyway.")
    if estimate.disk_bytes > estimate.free_disk_bytes:
        need = (
            f"The run needs {gigabytes(estimate.disk_bytes)} of disk space, but only "
            f"{gigabytes(estimate.free_disk_bytes)} are free; choose a workdir on another disk or "
            "free some space"
        )
        if not force:
            raise OSError(f"{need}. Use --force to run anyway.")
        logging.warning("%s.", need)


def _times_before(file: pathlib.Path) -> list[StageTime]:
    """Times of finished stages from an earlier estimate; empty if they cannot be read."""
    try:
        times = read_times(read_json(file)) if file.exists() else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logging.warning("%s cannot be read (%s); its times are ignored.", file, error)
        return []
    return [each for each in times if each.taken_seconds is not None]


def _left(workdir: Workdir, settings: RunSettings) -> tuple[list[str], RunSettings]:
    """The unfinished stages, and the settings with their remaining epochs."""
    names = [
        name
        for name in stages_of(settings.space, settings.search)
        if workdir.recorded(name) is None
    ]
    if settings.latency.latency_table is not None and "latency" in names:
        names.remove("latency")
    if not settings.pretrain.epochs and "pretrain" in names:
        names.remove("pretrain")
    for role in settings.space.roles:
        training = getattr(settings, role)
        done = (workdir.recorded(role) or {}).get(role, {}).get("epochs", training.epochs)
        if done < training.epochs:
            # It is finished, and will be prolonged.
            names.append(role)
            left = dataclasses.replace(training, epochs=training.epochs - done)
            settings = dataclasses.replace(settings, **{role: left})
    return sorted(names, key=stages_of(settings.space, settings.search).index), settings


def _networks(
    workdir: Workdir, settings: RunSettings, facts: DataFacts, way: str
) -> tuple[dict[str, Genotype], dict[str, str]]:
    """The networks by role, and the bases of networks that are not searched yet."""
    space, folder = settings.space, workdir.path / "search"
    if workdir.recorded("search") is not None:
        return {role: load_genotype(folder / f"{role}.json") for role in space.roles}, {}
    genotypes = {role: space.largest_genotype(role) for role in space.roles}
    bases = dict.fromkeys(genotypes, AT_MOST)
    if way == QUICK_ESTIMATE:
        size, num_classes = settings.student.crop_size, len(facts.class_names)
        generator = np.random.default_rng(0)
        draws = [space.random_genotype(generator) for _ in range(_DRAWS)]
        draws.sort(key=lambda each: network_work(each, size, num_classes, training=True).macs)
        genotypes[STUDENT], bases[STUDENT] = draws[_DRAWS // 2], TYPICAL
    return genotypes, bases


def _stage(
    name: str, cost: StepCost, basis: str, settings: RunSettings, facts: DataFacts
) -> StageEstimate:
    """Estimate of a stage: all its steps, evaluations and files."""
    space, own = settings.space, getattr(settings, name)
    step, memory = cost.step_seconds, cost.memory_bytes
    if name == "latency":
        steps = len(space.measured_keys(own.latency_size, len(facts.class_names)))
        seconds, disk = step * steps, 0
        seconds += EXPORT_SECONDS * own.latency_calibration
    else:
        images = facts.train_images
        if name in ("pretrain", "search"):
            images = batch_images(images, space.single_level)
        steps = own.epochs * (own.steps_per_epoch or images // own.batch_size)
        if name == "search" and own.strategy != GRADIENT:
            steps = 0
        seconds = cost.first_seconds + step * (steps - 1) if steps else 0.0
        seconds += _evaluation_seconds(name, cost, settings, facts)
        images = 4 * facts.train_images * math.prod(facts.size) * settings.data.cache
        # Without tf.data, every reading process keeps the images that it has read.
        on_tensorflow = keras.backend.backend() == "tensorflow"
        memory += images * (1 if on_tensorflow else available_cores().threads)
        # The two newest checkpoints and the next one; the best network and its replacement.
        disk = 5 * cost.weight_bytes + 3 * cost.slot_bytes
    disk += LOG_BYTES
    return StageEstimate(name, basis, seconds, disk, steps, step, memory, cost.gpu_bytes)


def _evaluation_seconds(
    name: str, cost: StepCost, settings: RunSettings, facts: DataFacts
) -> float:
    """Time of all evaluations of a training; per pixel, a forward pass is a third of a step."""
    own = getattr(settings, name)
    if name == "pretrain":
        return 0.0
    if name == "search":
        if own.strategy != GRADIENT:
            return RANKING_SECONDS * own.networks if own.uses_weights else 0.0
        # The supernet at the end, with all and with the likeliest choices; networks of every epoch.
        roles = len(settings.space.roles)
        images = 2 * roles * min(own.validation_images, held_out_count(facts.train_images))
        size = tuple(side // own.downsample for side in facts.size)
        passes = passes_of(name, settings.space) * settings.space.settings_a_step
        seconds = EVALUATION_SECONDS + images * _image_seconds(cost, own, size) / passes
        return seconds + 2 * roles * own.epochs * RANKING_SECONDS
    evaluations = math.ceil(own.epochs / own.evaluate_every)
    return evaluations * facts.val_images * _image_seconds(cost, own, facts.size)


def _image_seconds(cost: StepCost | None, settings: TrainSettings | SearchSettings, size: Size):
    """Time of one image in the network under training; 0 if its training is finished."""
    step_seconds = 0.0 if cost is None else cost.step_seconds
    pixels = settings.batch_size * math.prod(settings.crop_size)
    return step_seconds * math.prod(size) / (FORWARDS_A_STEP * pixels)


def _results(
    unfinished: Sequence[str],
    costs: Mapping[str, StepCost],
    settings: RunSettings,
    facts: DataFacts,
) -> list[StageEstimate]:
    """Estimates of export and benchmark, for all roles."""
    benchmark = settings.benchmark
    exporting, timing, disk = 0.0, 0.0, LOG_BYTES
    for role in settings.space.roles:
        cost, training = costs.get(role), getattr(settings, role)
        exporting += EXPORT_SECONDS
        exporting += facts.val_images * _image_seconds(cost, training, facts.size)
        call = benchmark.batch_size * _image_seconds(cost, training, benchmark.input_size)
        calls = call * (benchmark.warmup + benchmark.repetitions)
        timing += EXPORT_SECONDS + max(benchmark.seconds, calls)
        disk += GRAPH_BYTES + (0 if cost is None else cost.weight_bytes)
    stages = (
        StageEstimate("export", ASSUMED, exporting, disk),
        StageEstimate("benchmark", ASSUMED, timing, LOG_BYTES),
    )
    return [stage for stage in stages if stage.name in unfinished]
