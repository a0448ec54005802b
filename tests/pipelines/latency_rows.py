"""A latency table of random rows in place of a measured one."""

import numpy as np

from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import TableMetadata
from keras_fasterseg.pipelines.measure_latency import device_fingerprint
from keras_fasterseg.pipelines.settings import SupernetSettings
from keras_fasterseg.spaces.fasterseg.latency_costs import required_keys


def keys_of(supernet: SupernetSettings, size: tuple[int, int], num_classes: int):
    return required_keys(
        size,
        base_filters=supernet.base_filters,
        width_multipliers=supernet.width_multipliers,
        stem_head_width=supernet.student_width,
        num_classes=num_classes,
    )


def random_table(
    supernet: SupernetSettings, size: tuple[int, int], num_classes: int
) -> LatencyTable:
    """Every row that the space needs, between 0.1 and 1 ms."""
    generator = np.random.default_rng(0)
    rows = {}
    for key in keys_of(supernet, size, num_classes):
        value = float(generator.uniform(0.1, 1.0))
        rows[key] = LatencyRow(value, value, value, 1)
    return LatencyTable(rows, TableMetadata("fasterseg", size, device_fingerprint()))
