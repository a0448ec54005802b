"""A latency table of random rows in place of a measured one."""

import keras
import numpy as np

from keras_fasterseg.jobs.measure_latency import device_fingerprint
from keras_fasterseg.latency.operations import rows_of
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import TableMetadata
from keras_fasterseg.spaces.base import SearchSpace

# The runtime that measures on Keras's backend.
MEASURED = "saved_model" if keras.backend.backend() == "tensorflow" else "keras"


def random_table(
    space: SearchSpace,
    size: tuple[int, int],
    num_classes: int,
    runtime: str = MEASURED,
) -> LatencyTable:
    """Every row that prices a network of the space, and that of serving, between 0.1 and 1 ms.

    Rows that only check interpolation are left out.
    """
    generator = np.random.default_rng(0)
    rows = {}
    for key in space.measured_keys(size, num_classes):
        if key not in rows_of(key):
            continue
        value = float(generator.uniform(0.1, 1.0))
        rows[key] = LatencyRow(value, value, value, 1)
    return LatencyTable(rows, TableMetadata(space.name, size, device_fingerprint(runtime)))
