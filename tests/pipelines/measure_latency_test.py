import dataclasses

import pytest

from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.pipelines import measure_latency as job
from keras_fasterseg.pipelines.settings import LatencySettings
from tests.pipelines.latency_rows import keys_of, random_table
from tests.search.tiny_space import NUM_CLASSES, SETTINGS

SIZE = (64, 128)
LATENCY = LatencySettings(latency_size=SIZE, latency_warmup=0, latency_repetitions=1)


class CountingMeter:
    """In place of the device: every operation costs one millisecond."""

    def __init__(self, build, runner, schedule):
        self.schedule = schedule
        CountingMeter.measured = []

    def __call__(self, key):
        CountingMeter.measured.append(key)
        return LatencyRow(1.0, 1.0, 1.0, self.schedule.repetitions)


@pytest.fixture
def meter(monkeypatch):
    monkeypatch.setattr(job, "OperationMeter", CountingMeter)
    return CountingMeter


def measure(folder, **changes):
    settings = dataclasses.replace(LATENCY, **changes)
    return job.measure_latency(folder, SETTINGS, settings, NUM_CLASSES, progress=False)


def test_measures_what_the_space_needs(tmp_path, meter):
    table = measure(tmp_path, latency_repetitions=4)
    assert set(table) == set(keys_of(SETTINGS, SIZE, NUM_CLASSES))
    assert {row.repetitions for row in table.values()} == {4}
    assert table.metadata.input_size == SIZE
    assert table.metadata.fingerprint.runtime == "tensorflow"
    assert LatencyTable.load(tmp_path / job.TABLE) == table


def test_rows_of_an_earlier_run_are_kept(tmp_path, meter):
    whole = random_table(SETTINGS, SIZE, NUM_CLASSES)
    kept = dict(list(whole.items())[:30])
    LatencyTable(kept, whole.metadata).save(tmp_path / job.TABLE)
    table = measure(tmp_path)
    assert {key: table[key] for key in kept} == kept
    assert set(meter.measured) == set(whole) - set(kept)


@pytest.mark.parametrize("change", [{"input_size": (96, 128)}, {"device": "another"}])
def test_a_table_of_another_device_or_size_is_measured_anew(tmp_path, meter, change):
    whole = random_table(SETTINGS, SIZE, NUM_CLASSES)
    metadata = whole.metadata
    if "device" in change:
        fingerprint = dataclasses.replace(metadata.fingerprint, **change)
        metadata = dataclasses.replace(metadata, fingerprint=fingerprint)
    else:
        metadata = dataclasses.replace(metadata, **change)
    LatencyTable(whole, metadata).save(tmp_path / job.TABLE)
    table = measure(tmp_path)
    assert len(meter.measured) == len(whole)
    assert {row.latency_ms for row in table.values()} == {1.0}


def test_really_measures_an_operation(tmp_path):
    whole = random_table(SETTINGS, SIZE, NUM_CLASSES)
    last = list(whole)[-1]
    others = {key: row for key, row in whole.items() if key != last}
    LatencyTable(others, whole.metadata).save(tmp_path / job.TABLE)
    table = measure(tmp_path, latency_repetitions=2)
    assert table[last].repetitions == 2
    assert table[last].latency_ms > 0
    assert {key: table[key] for key in others} == others


def test_a_given_table_is_taken(tmp_path, meter):
    given = random_table(SETTINGS, SIZE, NUM_CLASSES)
    given.save(tmp_path / "given.json")
    table = measure(tmp_path / "run", latency_table=str(tmp_path / "given.json"))
    assert table == given == LatencyTable.load(tmp_path / "run" / job.TABLE)


def test_a_given_table_of_another_size(tmp_path):
    random_table(SETTINGS, (96, 128), NUM_CLASSES).save(tmp_path / "given.json")
    with pytest.raises(ValueError, match=r"given\.json holds latencies for 96x128.*64x128"):
        measure(tmp_path / "run", latency_table=str(tmp_path / "given.json"))


def test_a_given_table_that_lacks_rows(tmp_path):
    given = random_table(SETTINGS, SIZE, NUM_CLASSES)
    count = len(given)
    missing = list(given)[3]
    rows = {key: row for key, row in given.items() if key != missing}
    LatencyTable(rows, given.metadata).save(tmp_path / "given.json")
    with pytest.raises(ValueError, match=f"lacks 1 of {count} operations") as error:
        measure(tmp_path / "run", latency_table=str(tmp_path / "given.json"))
    assert str(missing) in str(error.value)
    assert not (tmp_path / "run").exists()


def test_no_such_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        measure(tmp_path, latency_table=str(tmp_path / "nowhere.json"))
