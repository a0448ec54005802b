"""Job: measure what every operation of the space costs on this device."""

import pathlib
from collections.abc import Sequence

from absl import logging

from keras_fasterseg.available_cores import cpu_quota
from keras_fasterseg.benchmark.environment import cpu_model
from keras_fasterseg.benchmark.harness import HARNESS_VERSION
from keras_fasterseg.benchmark.load import check_load
from keras_fasterseg.benchmark.statistics import TimeStatistics
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.jobs.measure_networks import measure_networks, random_networks
from keras_fasterseg.latency.calibration import fit_calibration
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operation_meter import MeasurementSchedule, OperationMeter
from keras_fasterseg.latency.profiler import ProfileSchedule, profile
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.run.latency_tables import load_table
from keras_fasterseg.run.names import LATENCY_TABLE
from keras_fasterseg.runtimes import tensorflow_device
from keras_fasterseg.runtimes.operation_runner import RuntimeOperationRunner, runtime_version
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.stages import LatencySettings, SupernetSettings
from keras_fasterseg.spaces.fasterseg.latency_costs import required_keys
from keras_fasterseg.spaces.fasterseg.stages import predicted_latency_ms, serving_key

CALIBRATION_SEED = 1
SECONDS_A_MINUTE = 60.0
TEACHER_WIDTH = 1.0

_SHOWN = 3


def measure_latency(
    folder: pathlib.Path,
    supernet: SupernetSettings,
    settings: LatencySettings,
    num_classes: int,
    progress: bool = True,
) -> LatencyTable:
    """Measures the student's operations on this device, or reads a given table.

    Writes `latency_table.json` to `folder`, group by group while it measures; a table that an
    earlier run left there is completed.

    Raises:
        ValueError: The given table is for another image size or lacks operations of the space; or
            the runtime is unknown or not installed.
    """
    check_latency(settings, supernet, num_classes)
    path = folder / LATENCY_TABLE
    if settings.latency_table is not None:
        table = load_table(settings.latency_table, settings.latency_size, settings.latency_threads)
        table.save(path)
        return table
    fingerprint = device_fingerprint(settings.latency_runtime, settings.latency_threads)
    metadata = TableMetadata("fasterseg", tuple(settings.latency_size), fingerprint)
    partial = LatencyTable.load(path) if path.exists() else None
    if partial is not None and partial.metadata != metadata:
        logging.warning(
            "%s is measured anew: it holds for images of %s and %s, not for %s and %s.",
            path,
            "x".join(map(str, partial.metadata.input_size)),
            partial.metadata.fingerprint,
            "x".join(map(str, metadata.input_size)),
            fingerprint,
        )
        partial = None
    keys = measured_keys(supernet, settings.latency_size, num_classes)
    missing = LatencyTable(partial or {}, metadata).missing(keys)
    meter = operation_meter(settings)
    if missing:
        check_load(allow=True)
        logging.info("%d operations are measured: %s", len(missing), fingerprint)
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
    if settings.latency_calibration:
        table = _calibrated(table, supernet, settings, num_classes, progress)
        table.save(path)
    return table


def check_latency(settings: LatencySettings, supernet: SupernetSettings, num_classes: int) -> None:
    """Raises what `measure_latency` would, before anything is measured."""
    check_settings(settings, "--")
    if settings.latency_table is not None:
        _check_given_table(settings, table_keys(supernet, settings.latency_size, num_classes))
        return
    require(
        settings.latency_calibration != 1,
        "Calibration needs at least two networks; give --latency_calibration (--calibrate) of 0 or "
        "at least 2. Received: 1",
    )
    runtime_version(settings.latency_runtime)


def table_keys(
    supernet: SupernetSettings,
    size: tuple[int, int],
    num_classes: int,
    stem_head_width: float | None = None,
) -> tuple[OpKey, ...]:
    """The rows that a search needs of a table: those of the student's networks.

    Args:
        supernet: The space.
        size: Height and width of the images.
        num_classes: Classes that the heads tell apart.
        stem_head_width: Width of the stem and the heads; None takes the student's.
    """
    return required_keys(
        size,
        base_filters=supernet.base_filters,
        width_multipliers=supernet.width_multipliers,
        stem_head_width=stem_head_width or supernet.student_width,
        num_classes=num_classes,
    )


def measured_keys(
    supernet: SupernetSettings, size: tuple[int, int], num_classes: int
) -> tuple[OpKey, ...]:
    """The rows of a table that is measured here: student's, teacher's, and what surrounds both."""
    student = table_keys(supernet, size, num_classes)
    teacher = table_keys(supernet, size, num_classes, TEACHER_WIDTH)
    return tuple(dict.fromkeys((*student, *teacher, serving_key(size, num_classes))))


def operation_meter(settings: LatencySettings) -> OperationMeter:
    """What measures operations as `settings` say.

    Raises:
        ValueError: The runtime is not installed, or the threads cannot be had.
    """
    runner = RuntimeOperationRunner(settings.latency_runtime, _threads(settings.latency_threads))
    return OperationMeter(runner, meter_schedule(settings))


def meter_schedule(settings: LatencySettings) -> MeasurementSchedule:
    """Lengths of warm-up and timing of an operation."""
    return MeasurementSchedule(
        warmup=settings.latency_warmup,
        min_repetitions=settings.latency_repetitions,
        max_repetitions=max(300, settings.latency_repetitions),
        precision=settings.latency_precision,
    )


def device_fingerprint(runtime: str = "saved_model", threads: int | None = None) -> Fingerprint:
    """This device and a runtime on it, as a table of it says."""
    # Of the runtimes that measure operations, TensorFlow alone takes the GPU.
    device = tensorflow_device.device_name() if runtime == "saved_model" else "CPU"
    return Fingerprint(
        device=cpu_model() if device == "CPU" else device,
        runtime=runtime,
        runtime_version=runtime_version(runtime),
        precision="float32",
        threads=_threads(threads),
        harness_version=HARNESS_VERSION,
        cpu_quota=cpu_quota(),
    )


def calibration_networks(supernet: SupernetSettings, count: int) -> list[Genotype]:
    """The networks that a calibration by `count` of them is fitted to."""
    return random_networks(supernet, count, CALIBRATION_SEED) if count else []


def calibrate(
    table: LatencyTable,
    genotypes: Sequence[Genotype],
    times: Sequence[TimeStatistics],
    num_classes: int,
) -> LatencyTable:
    """`table` with the calibration that fits the measured `times` of `genotypes` best.

    Raises:
        ValueError: See `fit_calibration`.
        KeyError: The table lacks a row.
    """
    plain = table.calibrated(None)
    sums = [predicted_latency_ms(genotype, plain, num_classes) for genotype in genotypes]
    return table.calibrated(fit_calibration(sums, [each.p50_ms for each in times]))


def _threads(threads: int | None) -> int:
    """One choice for every runtime, so that their tables can be compared."""
    if threads is not None:
        return threads
    tensorflow_device.request_threads(None)
    return tensorflow_device.intra_op_threads()


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
            "%d of %d operations were not measured often enough for the precision of %g, for want "
            "of time: %s%s. A larger --latency_time_budget makes them surer.",
            len(cut),
            len(table),
            settings.latency_precision,
            shown,
            ", …" * (len(cut) > _SHOWN),
        )


def _calibrated(
    table: LatencyTable,
    supernet: SupernetSettings,
    settings: LatencySettings,
    num_classes: int,
    progress: bool,
) -> LatencyTable:
    if table.calibration is not None and table.calibration.networks == settings.latency_calibration:
        return table
    genotypes = calibration_networks(supernet, settings.latency_calibration)
    times = measure_networks(genotypes, table, num_classes, progress=progress)
    return calibrate(table, genotypes, times, num_classes)


def _check_given_table(settings: LatencySettings, keys: Sequence[OpKey]) -> None:
    path = settings.latency_table
    table = load_table(path, settings.latency_size, settings.latency_threads)
    missing = table.missing(keys)
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of {len(keys)} operations of this space, such as "
            f"{missing[0]}; is it for other base filters or widths?"
        )
