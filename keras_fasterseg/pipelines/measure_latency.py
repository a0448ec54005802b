"""Job: measure what every operation of the space costs on this device."""

import pathlib

import tensorflow as tf
from absl import logging

from keras_fasterseg.benchmark.environment import cpu_model
from keras_fasterseg.benchmark.harness import HARNESS_VERSION
from keras_fasterseg.latency.operation_meter import MeasurementSchedule, OperationMeter
from keras_fasterseg.latency.operations import build_operation
from keras_fasterseg.latency.profiler import profile
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.pipelines.settings import LatencySettings, SupernetSettings
from keras_fasterseg.runtimes import tensorflow_device
from keras_fasterseg.runtimes.operation_runner import TensorFlowOperationRunner
from keras_fasterseg.spaces.fasterseg.latency_costs import required_keys

TABLE = "latency_table.json"


def measure_latency(
    folder: pathlib.Path,
    supernet: SupernetSettings,
    settings: LatencySettings,
    num_classes: int,
    progress: bool = True,
) -> LatencyTable:
    """Measures the student's operations with TensorFlow on this device, or reads a given table.

    Writes `latency_table.json` to `folder`, every few rows while it measures; a table that an
    earlier run left there is completed.

    Raises:
        ValueError: The given table is for another image size or lacks operations of the space.
    """
    keys = required_keys(
        settings.latency_size,
        base_filters=supernet.base_filters,
        width_multipliers=supernet.width_multipliers,
        stem_head_width=supernet.student_width,
        num_classes=num_classes,
    )
    path = folder / TABLE
    if settings.latency_table is not None:
        table = _given_table(settings.latency_table, settings, keys)
        table.save(path)
        return table
    metadata = TableMetadata("fasterseg", tuple(settings.latency_size), device_fingerprint())
    partial = LatencyTable.load(path) if path.exists() else None
    if partial is not None and partial.metadata != metadata:
        logging.warning("%s is of another device or size; it is measured anew.", path)
        partial = None
    schedule = MeasurementSchedule(settings.latency_warmup, settings.latency_repetitions)
    meter = OperationMeter(build_operation, TensorFlowOperationRunner(), schedule)
    return profile(keys, meter, metadata, partial=partial, path=path, progress=progress)


def device_fingerprint() -> Fingerprint:
    """This device and runtime, as a table of it says."""
    device = tensorflow_device.device_name()
    return Fingerprint(
        device=cpu_model() if device == "CPU" else device,
        runtime="tensorflow",
        runtime_version=tf.__version__,
        precision="float32",
        threads=tensorflow_device.intra_op_threads(),
        harness_version=HARNESS_VERSION,
    )


def _given_table(path: str, settings: LatencySettings, keys) -> LatencyTable:
    table = LatencyTable.load(path)
    if tuple(table.metadata.input_size) != tuple(settings.latency_size):
        height, width = table.metadata.input_size
        raise ValueError(
            f"{path} holds latencies for {height}x{width}, but --latency_size is "
            f"{settings.latency_size[0]}x{settings.latency_size[1]}; let both agree."
        )
    missing = table.missing(keys)
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of {len(keys)} operations of this space, such as "
            f"{missing[0]}; is it for other base filters or widths?"
        )
    return table
