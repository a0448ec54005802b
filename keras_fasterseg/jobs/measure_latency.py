"""Job: measure the latency of every operation of a search space on this device."""

import dataclasses
import pathlib
from collections.abc import Sequence

from absl import logging

from keras_fasterseg.available_cores import cpu_quota
from keras_fasterseg.benchmark.environment import cpu_model
from keras_fasterseg.benchmark.harness import HARNESS_VERSION
from keras_fasterseg.benchmark.load import check_load
from keras_fasterseg.benchmark.statistics import TimeStatistics
from keras_fasterseg.jobs.measure_networks import measure_networks, random_networks
from keras_fasterseg.latency.calibration import fit_calibration
from keras_fasterseg.latency.interpolation import interpolation_summary
from keras_fasterseg.latency.operation_meter import OperationMeter
from keras_fasterseg.latency.profiler import ProfileSchedule, profile
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.run.inputs import table_input
from keras_fasterseg.run.latency_tables import check_rows, load_table, meter_schedule
from keras_fasterseg.run.names import LATENCY_TABLE
from keras_fasterseg.run.run import TABLE_INPUT, Run, if_there
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.runtimes.operation_runner import (
    RuntimeOperationRunner,
    operation_runtime,
    runtime_version,
)
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.stages import LatencySettings
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.cost import predicted_latency_ms
from keras_fasterseg.spaces.genotype import Genotype

CALIBRATION_SEED = 1
SECONDS_A_MINUTE = 60.0

_SHOWN = 3


def measure_latency(
    folder: pathlib.Path,
    space: SearchSpace,
    settings: LatencySettings,
    num_classes: int,
    progress: bool = True,
) -> LatencyTable:
    """Measures the student's operations on this device, or reads an existing table.

    If the space has interpolated operations, a few are measured too, and the error of interpolation
    is logged (`interpolation_errors`).

    Writes `latency_table.json` to `folder` after every group of operations. An unfinished table of
    an earlier run is completed.

    Raises:
        ValueError: The existing table is for another image size or lacks operations of the space,
            or the runtime is unknown or not installed.
    """
    check_latency(settings, space, num_classes)
    path = folder / LATENCY_TABLE
    if settings.latency_table is not None:
        table = load_table(
            settings.latency_table, settings.latency_size, settings.latency_threads, space.name
        )
        table.save(path)
        return table
    fingerprint = device_fingerprint(settings.latency_runtime, settings.latency_threads)
    height, width = settings.latency_size
    metadata = TableMetadata(space.name, (height, width), fingerprint)
    partial = LatencyTable.load(path) if path.exists() else None
    if partial is not None and partial.metadata != metadata:
        logging.warning(
            "%s is measured again: it is for images of %s and %s, not for %s and %s.",
            path,
            "x".join(map(str, partial.metadata.input_size)),
            partial.metadata.fingerprint,
            "x".join(map(str, metadata.input_size)),
            fingerprint,
        )
        partial = None
    keys = space.measured_keys(settings.latency_size, num_classes)
    missing = LatencyTable(partial.measured if partial is not None else {}, metadata).missing(keys)
    meter = operation_meter(settings)
    if missing:
        check_load(allow=True)
        logging.info("Measuring %d operations: %s", len(missing), fingerprint)
    table = profile(
        keys,
        meter,
        metadata,
        schedule=_profile_schedule(settings),
        partial=partial,
        path=path,
        progress=progress,
    )
    _warn_of_cut_short(meter, table, settings)
    if (summary := interpolation_summary(table)) is not None:
        logging.info("%s", summary)
    if settings.latency_calibration:
        table = _calibrated(table, space, settings, num_classes, progress)
        table.save(path)
    return table


def check_latency(settings: LatencySettings, space: SearchSpace, num_classes: int) -> None:
    """Raises the errors of `measure_latency` that can be found before measuring."""
    check_settings(settings, "--")
    if settings.latency_table is not None:
        _check_given_table(settings.latency_table, settings, space, num_classes)
        return
    require(
        settings.latency_calibration != 1,
        "Calibration needs at least two networks; set --latency_calibration (--calibrate) to 0 or "
        "at least 2. Received: 1",
    )
    runtime_version(operation_runtime(settings.latency_runtime))


def operation_meter(settings: LatencySettings) -> OperationMeter:
    """Returns a meter of operations with the schedule of `settings`.

    Raises:
        ValueError: The runtime is not installed, or cannot use that number of threads.
    """
    runner = RuntimeOperationRunner(settings.latency_runtime, _threads(settings.latency_threads))
    return OperationMeter(runner, meter_schedule(settings))


def device_fingerprint(runtime: str | None = None, threads: int | None = None) -> Fingerprint:
    """Fingerprint of this device and a runtime on it, as recorded in a latency table.

    Args:
        runtime: See `operation_runtime`.
        threads: CPU threads of the runtime. None: one per available core.
    """
    runtime = operation_runtime(runtime)
    # Among the runtimes for operations, only Keras's backend uses the GPU.
    device = backend_device().device_name() if runtime == operation_runtime() else "CPU"
    return Fingerprint(
        device=cpu_model() if device == "CPU" else device,
        runtime=runtime,
        runtime_version=runtime_version(runtime),
        precision="float32",
        threads=_threads(threads),
        harness_version=HARNESS_VERSION,
        cpu_quota=cpu_quota(),
    )


def calibration_networks(space: SearchSpace, count: int) -> list[Genotype]:
    """The `count` random networks to which a calibration is fitted."""
    return random_networks(space, count, CALIBRATION_SEED) if count else []


def calibrate(
    table: LatencyTable,
    genotypes: Sequence[Genotype],
    times: Sequence[TimeStatistics],
    num_classes: int,
) -> LatencyTable:
    """Returns `table` with the calibration that best fits the measured `times` of `genotypes`.

    Raises:
        ValueError: See `fit_calibration`.
        KeyError: The table lacks a row.
    """
    plain = table.calibrated(None)
    sums = [predicted_latency_ms(genotype, plain, num_classes) for genotype in genotypes]
    return table.calibrated(fit_calibration(sums, [each.p50_ms for each in times]))


def _threads(threads: int | None) -> int:
    """The number of threads, chosen alike for every runtime so that tables can be compared."""
    if threads is not None:
        return threads
    backend_device().request_threads(None)
    return backend_device().intra_op_threads()


def _profile_schedule(settings: LatencySettings) -> ProfileSchedule:
    minutes = settings.latency_time_budget
    return ProfileSchedule(time_budget_s=None if minutes is None else minutes * SECONDS_A_MINUTE)


def _warn_of_cut_short(
    meter: OperationMeter, table: LatencyTable, settings: LatencySettings
) -> None:
    cut = [key for key in table if key in meter.cut_short]
    if cut:
        shown = ", ".join(f"{key} ({table[key].repetitions} times)" for key in cut[:_SHOWN])
        logging.warning(
            "%d of %d operations did not reach the precision of %g within the time budget: %s%s. "
            "Increase --latency_time_budget for more reliable values.",
            len(cut),
            len(table),
            settings.latency_precision,
            shown,
            ", …" * (len(cut) > _SHOWN),
        )


def _calibrated(
    table: LatencyTable,
    space: SearchSpace,
    settings: LatencySettings,
    num_classes: int,
    progress: bool,
) -> LatencyTable:
    if table.calibration is not None and table.calibration.networks == settings.latency_calibration:
        return table
    genotypes = calibration_networks(space, settings.latency_calibration)
    times = measure_networks(genotypes, table, num_classes, progress=progress)
    return calibrate(table, genotypes, times, num_classes)


def _check_given_table(
    path: str, settings: LatencySettings, space: SearchSpace, num_classes: int
) -> None:
    table = load_table(path, settings.latency_size, settings.latency_threads, space.name)
    check_rows(table, path, space, num_classes)


def latency_stage(
    run: Run, space: SearchSpace, settings: LatencySettings, num_classes: int
) -> pathlib.Path:
    """Measures the space's operations into `latency/` and returns the table's file.

    Raises:
        ValueError: A setting is wrong, or differs from that of the finished stage.
        OSError: The folder cannot be written.
    """
    require(
        num_classes >= 1,
        f"A latency table needs at least one class. Received: num_classes={num_classes}",
    )
    # Recorded by its name.
    settings = dataclasses.replace(
        settings, latency_runtime=operation_runtime(settings.latency_runtime)
    )
    if run.workdir.recorded("latency") is None:
        check_latency(settings, space, num_classes)
    inputs = {}
    if settings.latency_table is not None:
        inputs[TABLE_INPUT] = if_there(table_input, settings.latency_table)
    run.workdir.stage(
        "latency",
        {**space.operations_record(), "latency": settings, "num_classes": num_classes},
        lambda folder: measure_latency(folder, space, settings, num_classes),
        partial=LATENCY_TABLE,
        inputs=inputs,
    )
    return run.table
