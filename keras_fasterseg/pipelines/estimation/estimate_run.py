"""Job: estimate what the unfinished stages of a run take on this machine."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from absl import logging

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.environment import cpu_model, package_versions
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import PathLike, read_json, write_json
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.pipelines.estimation import machine, probe_steps
from keras_fasterseg.pipelines.estimation.estimate import AT_MOST, MEASURED, Estimate
from keras_fasterseg.pipelines.estimation.probe import ProbeFailure, run_probes
from keras_fasterseg.pipelines.estimation.probe_steps import Measurement
from keras_fasterseg.pipelines.estimation.stage_estimates import Images, stage_estimates
from keras_fasterseg.pipelines.run import STAGES
from keras_fasterseg.pipelines.settings import DataSettings, RunSettings
from keras_fasterseg.pipelines.train import MODEL
from keras_fasterseg.pipelines.workdir import Workdir, plain
from keras_fasterseg.runtimes import tensorflow_device
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype

ESTIMATE = "estimate.json"
STEPS = 3
ROWS = 5
# How long a stage runs or how often it is looked at changes neither a step nor its memory.
_LENGTHS = ("epochs", "steps_per_epoch", "evaluate_every", "validation_images")


@dataclasses.dataclass(frozen=True)
class _Probe:
    measure: Callable[[], Measurement]
    key: dict[str, Any]


def describe_images(source: SegmentationSource, data: DataSettings) -> Images:
    """What the estimate has to know of `source`; its first image stands for the size of all.

    Raises:
        ValueError: There is no such split.
        DataError: A split is empty, or its first image cannot be read.
    """
    train, val = source.samples(data.train_split), source.samples(data.val_split)
    return Images(source.num_classes, len(train), len(val), source.read_size(train[0]))


def estimate_run(
    path: PathLike, settings: RunSettings, images: Images, limit_seconds: float = 600.0
) -> Estimate:
    """Measures a few steps of each unfinished stage and says what all of them will take.

    The steps run in processes of their own, on random images of the true size. As long as the
    search is not finished, teacher and student are the dearest networks that it could find. What
    was measured is kept in `estimate.json` in the folder, and not measured again for the same
    settings on the same machine; what failed is.

    Args:
        path: Folder of the run.
        settings: Of every stage.
        images: The data set.
        limit_seconds: Time that the few steps of one stage may take.

    Raises:
        ValueError: A setting is out of its range.
        OSError: The folder cannot be written.
    """
    workdir = Workdir(path)
    genotypes, basis = _networks(workdir, settings)
    probes = _probes(workdir, settings, images.num_classes, genotypes)
    file = workdir.path / ESTIMATE
    kept = _kept(file)
    results: dict[str, Measurement | ProbeFailure] = {
        name: kept[name][1]
        for name, probe in probes.items()
        if name in kept and kept[name][0] == probe.key
    }
    missing = {name: probe.measure for name, probe in probes.items() if name not in results}
    if missing:
        logging.info("measuring a few steps of: %s", ", ".join(missing))
        results |= run_probes(missing, limit_seconds, machine.free_memory_bytes())
    estimate = Estimate(
        stage_estimates(
            _left(workdir, settings),
            images,
            results,
            unfinished=[name for name in STAGES if workdir.recorded(name) is None],
            basis=basis,
            generates=not (workdir.path / "data").exists(),
            trained_bytes={role: _size(workdir.path / role / MODEL) for role in genotypes},
        ),
        # What this process has now is not to be taken twice.
        machine.free_memory_bytes() + machine.own_memory_bytes(),
        machine.free_disk_bytes(workdir.path),
    )
    measured = {
        name: {"key": probes[name].key, "measurement": dataclasses.asdict(result)}
        for name, result in results.items()
        if isinstance(result, Measurement)
    }
    write_json(file, {"estimate": estimate.to_json(), "measurements": measured})
    return estimate


def _networks(workdir: Workdir, settings: RunSettings) -> tuple[dict[str, Genotype], str]:
    """The networks that will be trained or, before the search, that bound them; and which."""
    supernet = settings.supernet
    if workdir.recorded("search") is not None:
        folder = workdir.path / "search"
        found = {role: Genotype.load(folder / f"{role}.json") for role in (TEACHER, STUDENT)}
        return found, MEASURED
    widths = {TEACHER: 1.0, STUDENT: supernet.student_width}
    bounds = {
        role: largest_genotype(supernet.num_layers, supernet.base_filters, width)
        for role, width in widths.items()
    }
    return bounds, AT_MOST


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


def _probes(
    workdir: Workdir, settings: RunSettings, num_classes: int, genotypes: Mapping[str, Genotype]
) -> dict[str, _Probe]:
    supernet, teacher, student = settings.supernet, genotypes[TEACHER], genotypes[STUDENT]
    steps = probe_steps
    arguments: dict[str, tuple[Callable[..., Measurement], tuple[Any, ...]]] = {
        "latency": (steps.measure_operations, (supernet, settings.latency, num_classes, ROWS)),
        "pretrain": (steps.measure_pretrain, (supernet, settings.pretrain, num_classes, STEPS)),
        "search": (steps.measure_search, (supernet, settings.search, num_classes, STEPS)),
        TEACHER: (
            steps.measure_training,
            (teacher, None, settings.teacher, num_classes, STEPS),
        ),
        STUDENT: (
            steps.measure_training,
            (student, teacher, settings.student, num_classes, STEPS),
        ),
    }
    needed = {
        name
        for name in arguments
        if workdir.recorded(name) is None or _epochs_done(workdir, name, settings)
    }
    if settings.latency.latency_table is not None:
        needed.discard("latency")
    if not settings.pretrain.epochs:
        needed.discard("pretrain")
    device = _device()
    return {
        name: _Probe(
            functools.partial(function, *values),
            {"device": device, "arguments": [_essence(value) for value in values]},
        )
        for name, (function, values) in arguments.items()
        if name in needed
    }


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
    """What of an argument of a measurement decides its result, as JSON holds it."""
    if isinstance(value, Genotype):
        return value.id
    value = plain(value)
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if name not in _LENGTHS}
    return value


def _kept(file: pathlib.Path) -> dict[str, tuple[dict[str, Any], Measurement]]:
    """Earlier measurements by stage, with what they hold for."""
    try:
        rows = read_json(file)["measurements"] if file.exists() else {}
        return {name: (row["key"], Measurement(**row["measurement"])) for name, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        logging.warning("%s is of no use (%s); everything is measured anew.", file, error)
        return {}


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.is_file() else 0
