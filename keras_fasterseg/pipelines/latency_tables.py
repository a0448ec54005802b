"""Reading a latency table that a user names, and whether it is of this machine."""

import sys

from absl import logging

from keras_fasterseg.benchmark.environment import cpu_model
from keras_fasterseg.files import PathLike
from keras_fasterseg.latency.reference import is_reference_table, load_reference_table
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.pipelines.genotypes import SPACE


def load_table(path: PathLike, input_size: tuple[int, int] | None = None) -> LatencyTable:
    """The table at `path`: one that `tools.measure_latency` wrote, or the released one as JSON.

    Warns, once a process, of a table that another device was measured for.

    Args:
        path: The file.
        input_size: Height and width of the images that it must hold for; None takes any.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no latency table, or one of another space or for images of another
            size.
    """
    table = load_reference_table(path) if is_reference_table(path) else LatencyTable.load(path)
    if table.metadata.space != SPACE:
        raise ValueError(
            f"{path} is a table of the search space {table.metadata.space!r}, but this one is "
            f"{SPACE!r}; measure it with `python -m tools.measure_latency`."
        )
    if input_size is not None:
        check_table_size(table, input_size, str(path))
    foreign = foreign_device(table)
    if foreign is not None:
        logging.log_first_n(
            logging.WARNING,
            "%s was measured on %s, but this machine runs on %s: its latencies hold there; measure "
            "this machine with `python -m tools.measure_latency`.",
            1,
            path,
            table.metadata.fingerprint.device,
            foreign,
        )
    return table


def check_table_size(
    table: LatencyTable, input_size: tuple[int, int], name: str = "The latency table"
) -> None:
    """Raises `ValueError` unless `table`, which is called `name`, holds for `input_size`."""
    if tuple(table.metadata.input_size) != tuple(input_size):
        height, width = table.metadata.input_size
        raise ValueError(
            f"{name} holds for images of {height}x{width}, not for "
            f"{input_size[0]}x{input_size[1]}; let both agree."
        )


def foreign_device(table: LatencyTable) -> str | None:
    """This machine's device if `table` is of another; None if it is not, or none can tell.

    A machine's CPU and its first GPU are both its own.
    """
    device, cpu = table.metadata.fingerprint.device, cpu_model()
    # Only TensorFlow knows the GPU; it is asked if it runs anyway, but never started for this.
    if device == cpu or "tensorflow" not in sys.modules:
        return None
    from keras_fasterseg.runtimes import tensorflow_device

    own = tensorflow_device.device_name()
    own = cpu if own == "CPU" else own
    return None if device == own else own
