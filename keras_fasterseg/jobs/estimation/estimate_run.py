"""Job: estimate what the unfinished stages of a run take on this machine."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from absl import logging

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.environment import cpu_model, package_versions
from keras_fasterseg.files import PathLike, read_json, write_json
from keras_fasterseg.jobs.checks import DataFacts
from keras_fasterseg.jobs.estimation import closed_form, machine, probe_steps
from keras_fasterseg.jobs.estimation.estimate import (
    AT_MOST,
    COMPUTED,
    MEASURED,
    TYPICAL,
    Estimate,
)
from keras_fasterseg.jobs.estimation.measurement import Measurement
from keras_fasterseg.jobs.estimation.probe import ProbeFailure, run_probes
from keras_fasterseg.jobs.estimation.speed import measure_speed
from keras_fasterseg.jobs.estimation.stage_estimates import stage_estimates
from keras_fasterseg.jobs.estimation.stage_times import TIMES, continued_times, read_times
from keras_fasterseg.run.names import NETWORK
from keras_fasterseg.run.run import STAGES
from keras_fasterseg.run.workdir import Workdir, plain
from keras_fasterseg.runtimes import tensorflow_device
from keras_fasterseg.settings.stages import QUICK_ESTIMATE, LatencySettings, RunSettings
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.random_genotype import random_genotype
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.work import network_work
from keras_fasterseg.spaces.genotype import Genotype

ESTIMATE = "estimate.json"
STEPS = 3
ROWS = 5
# Networks of which the one of median work is typical, and the seed that draws them.
_DRAWS, _SEED = 17, 0
# How long a stage runs or how often it is looked at changes neither a step nor its memory.
_LENGTHS = ("epochs", "steps_per_epoch", "evaluate_every", "validation_images")


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step of a stage.

    Attributes:
        measure: Runs a few of them.
        compute: Computes one at a machine's speed.
        values: What both take before their last argument.
    """

    measure: Callable[..., Measurement]
    compute: Callable[..., Measurement]
    values: tuple[Any, ...]


def estimate_run(
    path: PathLike,
    settings: RunSettings,
    facts: DataFacts,
    way: str = QUICK_ESTIMATE,
    limit_seconds: float = 600.0,
) -> Estimate:
    """The time, memory and disk that each unfinished stage takes on this machine.

    The quick way computes a step of each stage from its multiply-accumulates and values and the
    rates of this machine, which half a second measures. As long as the search is not finished,
    teacher and student are networks of median work.

    The measured way runs a few steps of each stage in processes of their own, on random images of
    the true size. As long as the search is not finished, teacher and student are the most expensive
    networks that it could find. A measurement is kept in `estimate.json` in the folder, and not
    repeated for the same settings on the same machine; one that failed is.

    Args:
        path: Folder of the run.
        settings: Of every stage.
        facts: The data set.
        way: `QUICK_ESTIMATE` or `MEASURED_ESTIMATE`.
        limit_seconds: Time that the few steps of one stage may take.

    Raises:
        ValueError: A setting is out of its range.
        OSError: The folder cannot be written.
    """
    workdir = Workdir(path)
    file = workdir.path / ESTIMATE
    before = _content(file)
    genotypes, known = _networks(workdir, settings, way)
    steps = _steps(workdir, settings, len(facts.class_names), genotypes)
    kept = before.get("measurements", {})
    if way == QUICK_ESTIMATE:
        speed = measure_speed(_table_threads(settings.latency, steps))
        results = {name: step.compute(*step.values, speed) for name, step in steps.items()}
    else:
        results, kept = _measured(steps, kept, limit_seconds)
    bases = (COMPUTED, TYPICAL) if way == QUICK_ESTIMATE else (MEASURED, AT_MOST)
    estimate = Estimate(
        stage_estimates(
            _left(workdir, settings),
            facts,
            results,
            unfinished=[name for name in STAGES if workdir.recorded(name) is None],
            bases=(bases[0], bases[0] if known else bases[1]),
            generates=not (workdir.path / "data").exists(),
            trained_bytes={role: _size(workdir.path / role / NETWORK) for role in genotypes},
        ),
        # What this process has now is not to be taken twice.
        machine.free_memory_bytes() + machine.own_memory_bytes(),
        machine.free_disk_bytes(workdir.path),
    )
    times = continued_times(read_times(before), estimate)
    content = {
        "estimate": estimate.to_json(),
        "measurements": kept,
        TIMES: [dataclasses.asdict(each) for each in times],
    }
    write_json(file, content)
    return estimate


def _table_threads(latency: LatencySettings, steps: Collection[str]) -> int | None:
    """Threads that TensorFlow must have for the latency table; `None` where it has its choice."""
    measured = "latency" in steps and latency.latency_runtime == "saved_model"
    return latency.latency_threads if measured else None


def _networks(
    workdir: Workdir, settings: RunSettings, way: str
) -> tuple[dict[str, Genotype], bool]:
    """Teacher and student, and whether the search has found them; before it, networks like them."""
    supernet = settings.supernet
    if workdir.recorded("search") is not None:
        folder = workdir.path / "search"
        return {role: Genotype.load(folder / f"{role}.json") for role in (TEACHER, STUDENT)}, True
    if way == QUICK_ESTIMATE:
        widths = {TEACHER: 1.0, STUDENT: supernet.student_width}
        return {role: _typical(supernet, role, width) for role, width in widths.items()}, False
    return {
        role: largest_genotype(supernet.num_layers, supernet.base_filters, width)
        for role, width in ((TEACHER, 1.0), (STUDENT, supernet.student_width))
    }, False


def _typical(supernet: FasterSegSettings, role: str, width: float) -> Genotype:
    """The network of median work of those that a search could find for `role`."""
    generator = np.random.default_rng(_SEED)
    draws = [
        random_genotype(
            generator,
            base_filters=supernet.base_filters,
            width_multipliers=supernet.width_multipliers if role == STUDENT else (1.0,),
            stem_head_width=width,
            num_layers=supernet.num_layers,
            allow_skip=role == STUDENT,
        )
        for _ in range(_DRAWS)
    ]
    return sorted(draws, key=lambda each: network_work(each, (64, 64), 1).macs)[_DRAWS // 2]


def _measured(
    steps: Mapping[str, _Step], kept: Mapping[str, Any], limit_seconds: float
) -> tuple[dict[str, Measurement | ProbeFailure], dict[str, Any]]:
    """By stage, what a few steps take, and the measurements to keep."""
    always = {"device": _device(), "version": probe_steps.VERSION}
    arguments = {
        name: (*step.values, ROWS if name == "latency" else STEPS) for name, step in steps.items()
    }
    keys = {
        name: {**always, "arguments": [_essence(each) for each in values]}
        for name, values in arguments.items()
    }
    results: dict[str, Measurement | ProbeFailure] = {
        name: Measurement(**kept[name]["measurement"])
        for name, key in keys.items()
        if name in kept and kept[name]["key"] == key
    }
    missing = {
        name: functools.partial(step.measure, *arguments[name])
        for name, step in steps.items()
        if name not in results
    }
    if missing:
        logging.info("measuring a few steps of: %s", ", ".join(missing))
        results |= run_probes(missing, limit_seconds, machine.free_memory_bytes())
    return results, {
        name: {"key": keys[name], "measurement": dataclasses.asdict(result)}
        for name, result in results.items()
        if isinstance(result, Measurement)
    }


def _epochs_done(workdir: Workdir, name: str, settings: RunSettings) -> int:
    """Epochs of a finished training that is to be prolonged; 0 of everything else."""
    if name not in (TEACHER, STUDENT):
        return 0
    done = (workdir.recorded(name) or {}).get(name, {}).get("epochs", 0)
    return done if done < getattr(settings, name).epochs else 0


def _left(workdir: Workdir, settings: RunSettings) -> RunSettings:
    """`settings` with the epochs that are left of trainings that are to be prolonged."""
    roles = {
        role: dataclasses.replace(
            getattr(settings, role),
            epochs=getattr(settings, role).epochs - _epochs_done(workdir, role, settings),
        )
        for role in (TEACHER, STUDENT)
    }
    return dataclasses.replace(settings, **roles)


def _steps(
    workdir: Workdir, settings: RunSettings, num_classes: int, genotypes: Mapping[str, Genotype]
) -> dict[str, _Step]:
    """A step of every stage that has steps to do."""
    supernet, teacher, student = settings.supernet, genotypes[TEACHER], genotypes[STUDENT]
    steps = {
        "latency": _Step(
            probe_steps.measure_operations,
            closed_form.operations_step,
            (supernet, settings.latency, num_classes),
        ),
        "pretrain": _Step(
            probe_steps.measure_pretrain,
            closed_form.pretrain_step,
            (supernet, settings.pretrain, num_classes),
        ),
        "search": _Step(
            probe_steps.measure_search,
            closed_form.search_step,
            (supernet, settings.search, num_classes),
        ),
        TEACHER: _Step(
            probe_steps.measure_training,
            closed_form.training_step,
            (teacher, None, settings.teacher, num_classes),
        ),
        STUDENT: _Step(
            probe_steps.measure_training,
            closed_form.training_step,
            (student, teacher, settings.student, num_classes),
        ),
    }
    needed = {
        name
        for name in steps
        if workdir.recorded(name) is None or _epochs_done(workdir, name, settings)
    }
    if settings.latency.latency_table is not None:
        needed.discard("latency")
    if not settings.pretrain.epochs:
        needed.discard("pretrain")
    return {name: step for name, step in steps.items() if name in needed}


def _device() -> dict[str, Any]:
    cores = available_cores()
    return {
        "cpu": cpu_model(),
        "available_cores": cores.logical,
        "cpu_quota": cores.quota,
        "device": tensorflow_device.device_name(),
        "versions": package_versions(),
    }


def _essence(value: Any) -> Any:
    """The part of an argument of a measurement that decides its result, as JSON holds it."""
    if isinstance(value, Genotype):
        return value.id
    value = plain(value)
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if name not in _LENGTHS}
    return value


def _content(file: pathlib.Path) -> dict[str, Any]:
    """The content that an earlier estimate has left in `file`; empty where it cannot be read."""
    try:
        content = read_json(file) if file.exists() else {}
        for row in content.get("measurements", {}).values():
            _ = row["key"], Measurement(**row["measurement"])
        read_times(content)
        return content
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        logging.warning(
            "%s is of no use (%s); its measurements and times are left out.", file, error
        )
        return {}


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.is_file() else 0
