"""Latency tables of a run: loading, checks against this machine, and measurement settings."""

from absl import logging

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.environment import cpu_model
from keras_fasterseg.benchmark.harness import HARNESS_VERSION
from keras_fasterseg.files import PathLike
from keras_fasterseg.latency.operation_meter import MeasurementSchedule
from keras_fasterseg.latency.operations import operation_of
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.runtimes.installed_version import UNKNOWN, installed_version
from keras_fasterseg.settings.stages import LatencySettings
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.fasterseg.released_table import (
    charged_as_released,
    is_released_table,
    load_released_table,
)
from keras_fasterseg.spaces.registry import space_class


def load_table(
    path: PathLike,
    input_size: tuple[int, int] | None = None,
    threads: int | None = None,
    space: str | None = None,
    reference_quirks: bool = False,
) -> LatencyTable:
    """Loads a latency table written by `tools.measure_latency`, or the released one as JSON.

    Warns, once per process, if the table was measured on another device or under other conditions
    than a measurement here would use.

    Args:
        path: The file.
        input_size: Required height and width of the images; None accepts any.
        threads: CPU threads that a measurement here would use. Default: the default number.
        space: Name of the required search space; None accepts any.
        reference_quirks: Whether to charge operations as FasterSeg's released code does.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a latency table, is for another search space or image size, or
            has a row that matches no operation of a known space.
    """
    table = load_released_table(path) if is_released_table(path) else LatencyTable.load(path)
    if space is not None and table.metadata.space != space:
        raise ValueError(
            f"{path} is a table of the search space {table.metadata.space!r}, but {space!r} is "
            "needed; measure one with `python -m tools.measure_latency`."
        )
    try:
        # Also registers its operations.
        space_class(table.metadata.space)
        for key in table:
            operation_of(key)
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read as a latency table ({error}); delete or move it and measure a "
            "new one with `python -m tools.measure_latency`."
        ) from error
    if reference_quirks:
        table = charged_as_released(table)
    if input_size is not None:
        check_table_size(table, input_size, str(path))
    foreign = foreign_device(table)
    if foreign is not None:
        logging.log_first_n(
            logging.WARNING,
            "%s was measured on %s, but this machine runs on %s: its latencies do not apply here. "
            "Measure this machine with `python -m tools.measure_latency`.",
            1,
            path,
            table.metadata.fingerprint.device,
            foreign,
        )
    elif unlike := differences(table.metadata.fingerprint, threads):
        logging.log_first_n(
            logging.WARNING,
            "%s was measured with %s: latencies here may differ. Measure again with `python -m "
            "tools.measure_latency`, or run the network with the table's settings.",
            1,
            path,
            ", ".join(unlike),
        )
    return table


def meter_schedule(settings: LatencySettings) -> MeasurementSchedule:
    """Returns the length of warm-up and timing of an operation."""
    return MeasurementSchedule(
        warmup=settings.latency_warmup,
        min_repetitions=settings.latency_repetitions,
        max_repetitions=max(300, settings.latency_repetitions),
        precision=settings.latency_precision,
    )


def check_rows(
    table: LatencyTable, path: PathLike | None, space: SearchSpace, num_classes: int
) -> None:
    """Raises `ValueError` unless `table`, read from `path`, has all rows that `space` needs."""
    keys = space.required_keys(table.metadata.input_size, num_classes)
    missing = table.missing(keys)
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of {len(keys)} operations of this search space, such as "
            f"{missing[0]}. Check the settings of the space and the number of classes, or measure "
            "a new table with `python -m tools.measure_latency`."
        )


def differences(fingerprint: Fingerprint, threads: int | None = None) -> list[str]:
    """Lists the differences from a measurement here and now, one phrase each.

    Args:
        fingerprint: Measurement conditions of a table.
        threads: CPU threads that a measurement here would use. Default: the default number.
    """
    cores, version = available_cores(), installed_version(fingerprint.runtime)
    found = []
    here = version or UNKNOWN
    # An unknown version always counts as a difference.
    is_known = fingerprint.runtime_version != UNKNOWN
    if not is_known or (version is not None and version != fingerprint.runtime_version):
        found.append(f"{fingerprint.runtime} {fingerprint.runtime_version} (here {here})")
    if fingerprint.threads not in (None, threads or cores.threads):
        here = f"{cores.threads} by default" if threads is None else str(threads)
        found.append(f"--threads={fingerprint.threads} (here {here})")
    if fingerprint.cpu_quota != cores.quota:
        here, there = (
            "no CPU quota" if quota is None else f"a CPU quota of {quota:g}"
            for quota in (cores.quota, fingerprint.cpu_quota)
        )
        found.append(f"{there} (here {here})")
    # 0: measured by another program.
    if fingerprint.harness_version not in (0, HARNESS_VERSION):
        found.append(f"harness version {fingerprint.harness_version} (here {HARNESS_VERSION})")
    return found


def check_table_size(
    table: LatencyTable, input_size: tuple[int, int], name: str = "The latency table"
) -> None:
    """Raises `ValueError` unless `table`, called `name` in the message, is for `input_size`."""
    if tuple(table.metadata.input_size) != tuple(input_size):
        height, width = table.metadata.input_size
        raise ValueError(
            f"{name} is for images of {height}x{width}, not {input_size[0]}x{input_size[1]}; "
            "use the same size for both."
        )


def foreign_device(table: LatencyTable) -> str | None:
    """Returns this machine's device if `table` was measured on another one; otherwise None.

    Both the CPU and the first GPU of Keras's backend count as this machine's devices.
    """
    device, cpu = table.metadata.fingerprint.device, cpu_model()
    if device == cpu:
        return None
    own = backend_device().device_name()
    own = cpu if own == "CPU" else own
    return None if device == own else own
