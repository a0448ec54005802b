"""Tests of reading a table that a user names."""

import dataclasses
import importlib.metadata

import pytest
from absl import logging

from keras_fasterseg.available_cores import AvailableCores, available_cores
from keras_fasterseg.benchmark.environment import cpu_model
from keras_fasterseg.benchmark.harness import HARNESS_VERSION
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.run import latency_tables
from keras_fasterseg.run.latency_tables import check_table_size, foreign_device, load_table
from keras_fasterseg.runtimes.backend_device import backend_device
from tests.shared import FIXTURES
from tests.spaces.fasterseg.released_costs import released_table


def table_of(device: str, **changes) -> LatencyTable:
    """A table as it would be measured here now, but for `changes` of its fingerprint."""
    cores, version = available_cores(), importlib.metadata.version("onnxruntime")
    fingerprint = Fingerprint(
        *(device, "onnxruntime", version, "float32"),
        cores.threads,
        HARNESS_VERSION,
        cores.quota,
    )
    metadata = TableMetadata("fasterseg", (64, 128), dataclasses.replace(fingerprint, **changes))
    return LatencyTable({OpKey("conv", 8, 16, 8, 8, 1): LatencyRow(1.0, 1.0, 1.0, 1)}, metadata)


@pytest.fixture
def warnings(monkeypatch):
    """Logged messages, with their level and maximum count."""
    received = []
    monkeypatch.setattr(
        logging,
        "log_first_n",
        lambda level, message, count, *values: received.append((level, count, message % values)),
    )
    return received


def test_own_tables_and_the_released_one_are_read(tmp_path, warnings):
    path = tmp_path / "table.json"
    table_of(cpu_model()).save(path)
    assert load_table(path) == LatencyTable.load(path) == load_table(path, (64, 128))
    assert warnings == []
    released = load_table(FIXTURES / "latency_1080ti_trt5.json", (1024, 2048))
    assert released == released_table()


def test_a_table_of_another_device_is_warned_of_once(tmp_path, warnings):
    path = tmp_path / "table.json"
    table_of("another machine").save(path)
    load_table(path)
    ((level, count, message),) = warnings
    assert (level, count) == (logging.WARNING, 1)
    assert message.startswith(f"{path} was measured on another machine, but this machine runs on ")
    assert "python -m tools.measure_latency" in message


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"harness_version": 2}, f"harness version 2 (here {HARNESS_VERSION})"),
        ({"runtime_version": "1.0"}, "onnxruntime 1.0 (here "),
        ({"runtime_version": "unknown"}, "onnxruntime unknown (here "),
        ({"threads": 1}, "--threads=1 (here 4 by default)"),
        ({"cpu_quota": 1.5}, "a CPU quota of 1.5 (here no CPU quota)"),
    ],
)
def test_a_table_that_was_measured_otherwise_is_warned_of(
    tmp_path, warnings, monkeypatch, changes, phrase
):
    monkeypatch.setattr(latency_tables, "available_cores", lambda: AvailableCores(4, 4))
    path = tmp_path / "table.json"
    table_of(cpu_model(), **{"threads": 4, "cpu_quota": None, **changes}).save(path)
    load_table(path)
    ((level, count, message),) = warnings
    assert (level, count) == (logging.WARNING, 1)
    assert message.startswith(f"{path} was measured with {phrase}")
    assert "Measure again with `python -m tools.measure_latency`" in message


def test_versions_that_nobody_knows_are_not_the_same(tmp_path, warnings, monkeypatch):
    monkeypatch.setattr(latency_tables, "installed_version", lambda runtime: None)
    path = tmp_path / "table.json"
    table_of(cpu_model(), runtime_version="unknown").save(path)
    load_table(path)
    ((_, _, message),) = warnings
    assert message.startswith(f"{path} was measured with onnxruntime unknown (here unknown): ")


def test_threads_that_were_asked_for_are_those_that_are_compared(tmp_path, warnings, monkeypatch):
    monkeypatch.setattr(latency_tables, "available_cores", lambda: AvailableCores(4, 4))
    path = tmp_path / "table.json"
    table_of(cpu_model(), threads=1, cpu_quota=None).save(path)
    load_table(path, threads=1)
    assert warnings == []
    load_table(path, threads=2)
    ((_, _, message),) = warnings
    assert message.startswith(f"{path} was measured with --threads=1 (here 2): latencies")


def test_numbers_that_others_measured_have_no_harness_of_ours(tmp_path, warnings):
    path = tmp_path / "table.json"
    table_of(cpu_model(), harness_version=0, threads=None, runtime="theirs").save(path)
    load_table(path)
    assert warnings == []


def test_the_cpu_and_the_gpu_of_this_machine_are_its_own(monkeypatch):
    device = backend_device()
    monkeypatch.setattr(device, "device_name", lambda: "NVIDIA H200")
    assert foreign_device(table_of(cpu_model())) is None
    assert foreign_device(table_of("NVIDIA H200")) is None
    assert foreign_device(table_of("Tesla T4")) == "NVIDIA H200"
    monkeypatch.setattr(device, "device_name", lambda: "CPU")
    assert foreign_device(table_of("NVIDIA H200")) == cpu_model()


def test_a_table_of_another_size_is_refused_by_name(tmp_path):
    path = tmp_path / "table.json"
    table = table_of(cpu_model())
    table.save(path)
    with pytest.raises(ValueError, match="is for images of 64x128, not 64x64; use") as caught:
        load_table(path, (64, 64))
    assert str(caught.value).startswith(str(path))
    with pytest.raises(ValueError, match="The latency table is for images of 64x128"):
        check_table_size(table, (128, 64))
    check_table_size(table, (64, 128))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rows": {}}', '{"table": []}'])
def test_what_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"table\.json cannot be read as a latency table"):
        load_table(path)
    with pytest.raises(FileNotFoundError, match="gone"):
        load_table(tmp_path / "gone.json")
