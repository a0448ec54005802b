"""A latency table of random rows in place of a measured one."""

import numpy as np

from keras_fasterseg.jobs.measure_latency import device_fingerprint
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import TableMetadata
from keras_fasterseg.spaces.base import SearchSpace


def random_table(
    space: SearchSpace,
    size: tuple[int, int],
    num_classes: int,
    runtime: str = "saved_model",
) -> LatencyTable:
    """Every row that is measured of the space, between 0.1 and 1 ms."""
    generator = np.random.default_rng(0)
    rows = {}
    for key in space.measured_keys(size, num_classes):
        value = float(generator.uniform(0.1, 1.0))
        rows[key] = LatencyRow(value, value, value, 1)
    return LatencyTable(rows, TableMetadata(space.name, size, device_fingerprint(runtime)))
