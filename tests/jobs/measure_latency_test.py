import dataclasses

import keras
import pytest

from keras_fasterseg.jobs import measure_latency as job
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.profiler import pilot_key
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.run.names import LATENCY_TABLE
from keras_fasterseg.settings.stages import LatencySettings
from keras_fasterseg.spaces.cost import predicted_latency_ms, serving_key
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace
from tests.latency.interpolated_operation import InterpolatedSpace, conv
from tests.run.latency_rows import random_table
from tests.search.tiny_space import NUM_CLASSES, SPACE
from tests.spaces.fasterseg.released_costs import released_table

SIZE = (64, 128)
LATENCY = LatencySettings(latency_size=SIZE, latency_warmup=0, latency_repetitions=1)


class CountingMeter:
    """In place of the device: every operation costs one millisecond."""

    def __init__(self, repetitions=1):
        self.measured = []
        self.cut_short = frozenset()
        self.repetitions = repetitions

    def __call__(self, keys, seconds=None):
        self.measured += keys
        return {key: LatencyRow(1.0, 1.0, 1.0, self.repetitions) for key in keys}


@pytest.fixture
def meter(monkeypatch):
    meter = CountingMeter()
    monkeypatch.setattr(job, "operation_meter", lambda settings: meter)
    return meter


def measure(folder, space=SPACE, **changes):
    settings = dataclasses.replace(LATENCY, **changes)
    return job.measure_latency(folder, space, settings, NUM_CLASSES, progress=False)


def needed_keys():
    return set(SPACE.measured_keys(SIZE, NUM_CLASSES))


def test_the_space_of_the_paper_needs_659_rows():
    keys = FasterSegSpace().measured_keys((1024, 2048), 19)
    assert len(keys) == len(set(keys)) == 659 + 1
    assert [key for key in keys if key.operation == "serving"] == [serving_key((1024, 2048), 19)]
    assert not released_table().missing(key for key in keys if key.operation != "serving")


def test_measures_what_the_space_needs_and_what_surrounds_it(tmp_path, meter):
    table = measure(tmp_path)
    assert set(table) == needed_keys()
    assert table.metadata.input_size == SIZE
    assert table.metadata.fingerprint == job.device_fingerprint()
    on_tensorflow = keras.backend.backend() == "tensorflow"
    assert table.metadata.fingerprint.runtime == ("saved_model" if on_tensorflow else "keras")
    assert table.calibration is None
    assert LatencyTable.load(tmp_path / LATENCY_TABLE) == table


def test_the_settings_reach_the_meter():
    meter = job.operation_meter(
        dataclasses.replace(LATENCY, latency_repetitions=400, latency_precision=0.125)
    )
    schedule = meter._schedule
    assert (schedule.warmup, schedule.precision) == (0, 0.125)
    assert (schedule.min_repetitions, schedule.max_repetitions) == (400, 400)


@pytest.mark.backends("tensorflow")
def test_the_runtime_and_threads_are_in_the_fingerprint(tmp_path, meter):
    fingerprint = measure(
        tmp_path, latency_runtime="onnxruntime", latency_threads=1
    ).metadata.fingerprint
    assert (fingerprint.runtime, fingerprint.threads) == ("onnxruntime", 1)
    assert fingerprint.device == job.cpu_model()


def test_rows_of_an_earlier_run_are_kept(tmp_path, meter):
    whole = random_table(SPACE, SIZE, NUM_CLASSES)
    kept = dict(list(whole.items())[:30])
    LatencyTable(kept, whole.metadata).save(tmp_path / LATENCY_TABLE)
    table = measure(tmp_path)
    assert {key: table[key] for key in kept} == kept
    pilot = pilot_key(list(needed_keys()))
    assert set(meter.measured) - {pilot} == needed_keys() - set(kept) - {pilot}


@pytest.mark.parametrize(
    "change", [{"input_size": (96, 128)}, {"device": "another"}, {"runtime": "onnxruntime"}]
)
def test_a_table_of_another_device_runtime_or_size_is_measured_anew(tmp_path, meter, change):
    whole = random_table(SPACE, SIZE, NUM_CLASSES)
    metadata = whole.metadata
    if "input_size" in change:
        metadata = dataclasses.replace(metadata, **change)
    else:
        fingerprint = dataclasses.replace(metadata.fingerprint, **change)
        metadata = dataclasses.replace(metadata, fingerprint=fingerprint)
    LatencyTable(whole, metadata).save(tmp_path / LATENCY_TABLE)
    table = measure(tmp_path)
    assert set(meter.measured) == needed_keys()
    assert {row.latency_ms for row in table.values()} == {1.0}


def test_really_measures_an_operation(tmp_path):
    whole = random_table(SPACE, SIZE, NUM_CLASSES)
    last = list(whole)[-1]
    others = {key: row for key, row in whole.items() if key != last}
    LatencyTable(others, whole.metadata).save(tmp_path / LATENCY_TABLE)
    # The budget is used up before the third repetition, however fast the machine is.
    table = measure(tmp_path, latency_repetitions=2, latency_time_budget=1e-9)
    assert table[last].repetitions == 2
    assert table[last].latency_ms > 0
    assert {key: table[key] for key in others} == others


def test_operations_that_time_did_not_suffice_for_are_named(tmp_path, meter, monkeypatch):
    said = []
    monkeypatch.setattr(job.logging, "warning", lambda text, *values: said.append(text % values))
    monkeypatch.setattr(job, "check_load", lambda allow: said.append(allow))
    table = measure(tmp_path / "a")
    assert said == [True]
    first, *_ = meter.cut_short = tuple(table)[:4]
    measure(tmp_path / "b")
    assert said[-1].startswith(
        f"4 of {len(table)} operations did not reach the precision of 0.02 within the time budget: "
        f"{first} (1 times), "
    )
    assert said[-1].endswith(
        "(1 times), …. Increase --latency_time_budget for more reliable values."
    )


def test_a_calibration_is_fitted_to_whole_networks(tmp_path, meter, monkeypatch):
    calls = []

    def measure_networks(genotypes, table, num_classes, progress):
        calls.append(genotypes)
        plain = [predicted_latency_ms(each, table, num_classes) for each in genotypes]
        return [dataclasses.make_dataclass("Times", ["p50_ms"])(1.5 * ms + 4.0) for ms in plain]

    monkeypatch.setattr(job, "measure_networks", measure_networks)
    table = measure(tmp_path, latency_calibration=5)
    assert len({genotype.id for genotype in calls[0]}) == 5
    assert table.calibration.factor == pytest.approx(1.5)
    assert table.calibration.offset_ms == pytest.approx(4.0)
    assert table.calibration.networks == 5
    assert LatencyTable.load(tmp_path / LATENCY_TABLE) == table
    # An interrupted run that has got so far does not measure them again.
    assert measure(tmp_path, latency_calibration=5) == table
    assert len(calls) == 1


def test_the_error_of_interpolation_is_measured_and_stated(tmp_path, meter, monkeypatch):
    """A latency of filters squared: the chords from 16 to 32 are 12, 11.1 and 6.1 % too high."""
    said = []
    monkeypatch.setattr(job.logging, "info", lambda text, *values: said.append(text % values))

    def squares(keys, seconds=None):
        meter.measured += keys
        return {key: LatencyRow(*[float(key.out_filters**2)] * 3, repetitions=1) for key in keys}

    squares.cut_short = ()
    monkeypatch.setattr(job, "operation_meter", lambda settings: squares)
    space = InterpolatedSpace()
    checked = {conv(16, filters) for filters in (20, 24, 28)}
    required = space.required_keys(SIZE, NUM_CLASSES)
    assert [key for key in required if key.operation == "interpolated_conv"] == [
        conv(16, 16),
        conv(16, 32),
    ]
    table = measure(tmp_path, space)
    assert set(table) == {*required, serving_key(SIZE, NUM_CLASSES), *checked}
    assert said[-1] == (
        "Interpolated rows: median error 11.1 %, largest error 12.0 % (3 operations, measured as a "
        "check)."
    )
    # A table that was interrupted before one of these rows is completed by it.
    rows = {key: row for key, row in table.measured.items() if key != conv(16, 24)}
    LatencyTable(rows, table.metadata).save(tmp_path / LATENCY_TABLE)
    meter.measured.clear()
    assert measure(tmp_path, space) == table
    assert conv(16, 24) in meter.measured
    assert conv(16, 20) not in meter.measured


def test_one_network_makes_no_line(tmp_path, meter):
    message = r"--latency_calibration \(--calibrate\) to 0 or at least 2\. Received: 1"
    with pytest.raises(ValueError, match=message):
        measure(tmp_path, latency_calibration=1)
    assert meter.measured == []


def test_a_given_table_is_taken(tmp_path, meter):
    given = random_table(SPACE, SIZE, NUM_CLASSES).calibrated(Calibration(1.5, 2.0, 3))
    given.save(tmp_path / "given.json")
    table = measure(tmp_path / "run", latency_table=str(tmp_path / "given.json"))
    assert table == given == LatencyTable.load(tmp_path / "run" / LATENCY_TABLE)


def test_a_given_table_of_another_size(tmp_path):
    random_table(SPACE, (96, 128), NUM_CLASSES).save(tmp_path / "given.json")
    with pytest.raises(ValueError, match=r"given\.json is for images of 96x128.*64x128"):
        measure(tmp_path / "run", latency_table=str(tmp_path / "given.json"))


def test_a_given_table_that_lacks_rows(tmp_path):
    given = random_table(SPACE, SIZE, NUM_CLASSES)
    missing = list(given)[3]
    rows = {key: row for key, row in given.items() if key != missing}
    LatencyTable(rows, given.metadata).save(tmp_path / "given.json")
    count = len(SPACE.required_keys(SIZE, NUM_CLASSES))
    with pytest.raises(ValueError, match=f"lacks 1 of {count} operations") as error:
        measure(tmp_path / "run", latency_table=str(tmp_path / "given.json"))
    assert str(missing) in str(error.value)
    assert not (tmp_path / "run").exists()


def test_no_such_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        measure(tmp_path, latency_table=str(tmp_path / "nowhere.json"))
