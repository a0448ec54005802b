import dataclasses

import pytest

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.profiler import profile
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata

METADATA = TableMetadata(
    "fasterseg", (64, 128), Fingerprint("a device", "tensorflow", "2.21.0", "float32", 1, 1)
)
KEYS = tuple(OpKey("conv", 8, 16, 8, filters, 1) for filters in range(8, 64, 8))


class Meter:
    """Rows that tell their key; fails at `fail_at` as a full device would."""

    def __init__(self, fail_at=None, watch=None):
        self.measured = []
        self.sizes = []
        self._fail_at = fail_at
        self._watch = watch

    def __call__(self, key):
        if self._watch is not None:
            self.sizes.append(len(LatencyTable.load(self._watch)) if self._watch.exists() else 0)
        if key == self._fail_at:
            raise RuntimeError("out of memory")
        self.measured.append(key)
        return LatencyRow(key.out_filters, key.out_filters, key.out_filters, 1)


def test_every_key_is_measured_once():
    meter = Meter()
    table = profile([*KEYS, KEYS[0]], meter, METADATA, progress=False)
    assert meter.measured == list(KEYS)
    assert table[KEYS[2]].latency_ms == KEYS[2].out_filters
    assert table.metadata == METADATA


def test_the_table_is_saved_on_the_way_and_at_the_end(tmp_path):
    path = tmp_path / "table.json"
    meter = Meter(watch=path)
    table = profile(KEYS, meter, METADATA, path=path, save_every=3, progress=False)
    assert meter.sizes == [0, 0, 0, 3, 3, 3, 6]
    assert dict(LatencyTable.load(path)) == dict(table)


def test_an_interrupted_run_is_continued(tmp_path):
    path = tmp_path / "table.json"
    with pytest.raises(RuntimeError, match="out of memory"):
        profile(KEYS, Meter(fail_at=KEYS[4]), METADATA, path=path, progress=False)
    partial = LatencyTable.load(path)
    assert list(partial) == list(KEYS[:4])

    meter = Meter()
    table = profile(KEYS, meter, METADATA, partial=partial, path=path, progress=False)
    assert meter.measured == list(KEYS[4:])
    assert list(table) == list(KEYS)
    assert len(partial) == 4


def test_failing_at_the_first_operation_leaves_the_file_alone(tmp_path):
    path = tmp_path / "table.json"
    earlier = profile(KEYS, Meter(), METADATA, path=path, progress=False)
    with pytest.raises(RuntimeError, match="out of memory"):
        profile(KEYS, Meter(fail_at=KEYS[0]), METADATA, path=path, progress=False)
    assert LatencyTable.load(path) == earlier


def test_rows_that_are_not_asked_for_are_kept():
    partial = profile(KEYS, Meter(), METADATA, progress=False)
    table = profile(KEYS[:1], Meter(), METADATA, partial=partial, progress=False)
    assert dict(table) == dict(partial)


def test_a_table_of_another_device_is_not_continued():
    other = dataclasses.replace(
        METADATA, fingerprint=dataclasses.replace(METADATA.fingerprint, device="another")
    )
    with pytest.raises(ValueError, match=r"(?s)expected .*a device.*received .*another"):
        profile(KEYS, Meter(), METADATA, partial=LatencyTable({}, other), progress=False)


def test_saving_after_no_row_is_refused():
    with pytest.raises(ValueError, match="save_every=0"):
        profile(KEYS, Meter(), METADATA, save_every=0, progress=False)


def test_the_progress_bar_counts_the_operations(capsys):
    profile(KEYS, Meter(), METADATA)
    assert "7/7" in capsys.readouterr().err
