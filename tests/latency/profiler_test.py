import dataclasses

import pytest
from absl import logging

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.profiler import ProfileSchedule, pilot_key, profile
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata

METADATA = TableMetadata(
    "fasterseg", (64, 128), Fingerprint("a device", "tensorflow", "2.21.0", "float32", 1, 1)
)
KEYS = tuple(OpKey("conv", 8, 16, 8, filters, 1) for filters in range(8, 64, 8))
PILOT = KEYS[5]
OTHERS = tuple(key for key in KEYS if key != PILOT)


class Meter:
    """Rows that tell their key; fails at `fail_at` as a full device would."""

    def __init__(self, fail_at=None, watch=None, speeds=()):
        self.groups = []
        self.seconds = []
        self.sizes = []
        self._fail_at = fail_at
        self._watch = watch
        self._speeds = iter(speeds)

    def __call__(self, keys, seconds):
        if self._watch is not None:
            self.sizes.append(len(LatencyTable.load(self._watch)) if self._watch.exists() else 0)
        if self._fail_at in keys:
            raise RuntimeError("out of memory")
        self.groups.append(tuple(keys))
        self.seconds.append(seconds)
        speed = next(self._speeds, 1.0)
        return {key: _row(key.out_filters * speed) for key in keys}


def _row(milliseconds):
    return LatencyRow(milliseconds, milliseconds, milliseconds, 1)


def run(meter, keys=KEYS, group=2, progress=False, **options):
    schedule = ProfileSchedule(group=group, **options.pop("schedule", {}))
    return profile(keys, meter, METADATA, schedule=schedule, progress=progress, **options)


def test_a_quarter_of_the_operations_has_more_work_than_the_pilot():
    assert pilot_key([*KEYS[4:], *KEYS[:4]]) == PILOT


def test_every_key_is_measured_once_and_the_pilot_with_every_group():
    meter = Meter()
    table = run(meter, [*KEYS, KEYS[0]])
    assert meter.groups == [(PILOT, *OTHERS[i : i + 2]) for i in (0, 2, 4)]
    assert dict(table) == {key: _row(key.out_filters) for key in KEYS}
    assert table.metadata == METADATA


def test_operations_of_one_input_are_beside_one_another():
    wide, narrow = ([OpKey("conv", 8, 16, inputs, out, 1) for out in (8, 16)] for inputs in (16, 8))
    meter = Meter()
    run(meter, [wide[0], narrow[0], wide[1], narrow[1]], group=4)
    inputs = [key.in_filters for key in meter.groups[0][1:]]
    assert inputs == sorted(inputs)


def test_the_table_is_saved_after_every_group(tmp_path):
    path = tmp_path / "table.json"
    meter = Meter(watch=path)
    table = run(meter, path=path)
    assert meter.sizes == [0, 3, 5]
    assert dict(LatencyTable.load(path)) == dict(table)


def test_an_interrupted_run_is_continued(tmp_path):
    path = tmp_path / "table.json"
    with pytest.raises(RuntimeError, match="out of memory"):
        run(Meter(fail_at=KEYS[6]), path=path)
    partial = LatencyTable.load(path)
    kept = dict(partial)
    assert set(kept) == {PILOT, *OTHERS[:4]}

    meter = Meter()
    table = run(meter, partial=partial, path=path)
    assert meter.groups == [(PILOT, *OTHERS[4:])]
    assert set(table) == set(KEYS)
    assert {key: table[key] for key in kept} == kept
    assert dict(partial) == kept


def test_a_whole_table_is_left_as_it_is(tmp_path):
    whole = run(Meter())
    meter = Meter()
    assert run(meter, partial=whole, path=tmp_path / "table.json") is whole
    assert meter.groups == []


def test_failing_at_the_first_operation_leaves_the_file_alone(tmp_path):
    path = tmp_path / "table.json"
    earlier = run(Meter(), path=path)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(Meter(fail_at=PILOT), path=path)
    assert LatencyTable.load(path) == earlier


def test_rows_that_are_not_asked_for_are_kept():
    partial = run(Meter())
    other = OpKey("skip", 8, 16, 8, 8, 1)
    table = run(Meter(), [other], partial=partial)
    assert dict(table) == {**partial, other: _row(8)}


def test_a_group_beside_a_drifting_pilot_is_measured_again():
    # The second group is first measured on a device that is a third slower, then a tenth.
    meter = Meter(speeds=[1.0, 1.0, 1.33, 1.1, 1.0])
    table = run(meter)
    assert meter.groups[2] == meter.groups[3] == meter.groups[4]
    assert dict(table) == {key: _row(key.out_filters) for key in KEYS}


def test_a_drift_within_the_pilots_own_spread_is_none():
    meter = Meter(speeds=[1.0, 1.33])
    noisy = dataclasses.replace(_row(48 * 1.33), p10_ms=47.0)

    def measure(keys, seconds):
        rows = meter(keys, seconds)
        return rows if len(meter.groups) != 2 else {**rows, PILOT: noisy}

    run(measure)
    assert len(meter.groups) == 3


def test_the_attempt_of_the_least_drift_is_taken_with_a_warning(caplog):
    # The second group's attempts, then the third, then the second's last try.
    meter = Meter(speeds=[1.0, 1.4, 1.2, 1.3, 1.0, 1.4, 1.3, 1.3])
    with caplog.at_level("WARNING"):
        table = run(meter)
    assert table[OTHERS[2]].latency_ms == pytest.approx(1.2 * OTHERS[2].out_filters)
    assert len(meter.groups) == 8
    assert f"In 1 of 3 groups the latency of the operation {PILOT} differed" in caplog.text
    assert "by up to +20 %" in caplog.text


def test_a_first_group_on_a_slow_device_is_noticed_at_the_end(caplog, tmp_path):
    # All others are judged by it at first, in vain.
    meter = Meter(speeds=[2.0])
    with caplog.at_level("WARNING"):
        table = run(meter, path=tmp_path / "table.json")
    assert dict(table) == {key: _row(key.out_filters) for key in KEYS}
    assert LatencyTable.load(tmp_path / "table.json") == table
    assert meter.groups[-1] == meter.groups[0]
    assert caplog.text == ""


def test_the_pilot_alone_may_be_missing():
    whole = run(Meter())
    rows = {key: row for key, row in whole.items() if key != PILOT}
    meter = Meter()
    table = run(meter, partial=LatencyTable(rows, METADATA), schedule={"time_budget_s": 60.0})
    assert meter.groups == [(PILOT,)]
    assert dict(table) == dict(whole)


def test_rows_stand_in_the_order_in_which_they_were_measured():
    partial = run(Meter(), OTHERS[:2])
    assert list(run(Meter(), partial=partial))[:2] == list(partial)


def test_a_steady_device_gives_no_warning(caplog):
    with caplog.at_level("WARNING"):
        run(Meter(speeds=[1.0, 1.04, 0.97, 1.02]))
    assert caplog.text == ""


class Clock:
    """A device on which every call of the meter takes ten seconds."""

    def __init__(self):
        self.now = 0.0
        self.meter = Meter()

    def __call__(self):
        return self.now

    def measure(self, keys, seconds):
        self.now += 10.0
        return self.meter(keys, seconds)


def test_the_time_that_is_left_is_divided_among_the_operations_that_are_left():
    clock = Clock()
    run(clock.measure, schedule={"time_budget_s": 70.0}, clock=clock)
    # For two operations each: of 70 s for 6, of 60 s for 4, of 50 s for 2.
    assert clock.meter.seconds == pytest.approx([70 / 3, 30.0, 50.0])


@pytest.mark.parametrize(
    ("budget", "level", "said"),
    [
        # Two operations in ten seconds; two groups of three are over.
        (None, "INFO", "2 operations remain: about 0.2 minutes."),
        (70.0, "INFO", "2 operations remain: about 0.2 minutes."),
        (21.0, "WARNING", "an operation takes 5 s to build and to measure the required number of "),
        (5.0, "WARNING", "The 2 remaining operations need about 0.2 minutes, but only 0.0 remain;"),
    ],
)
def test_it_says_soon_how_long_it_takes(caplog, monkeypatch, budget, level, said):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    clock = Clock()
    with caplog.at_level("INFO", logger="absl"):
        run(clock.measure, schedule={"time_budget_s": budget}, clock=clock)
    (record,) = caplog.records
    assert record.levelname == level
    assert said in record.getMessage()


def test_when_the_time_is_up_nothing_is_measured_again():
    clock = Clock()
    clock.meter = Meter(speeds=[1.0, 2.0, 2.0, 2.0])
    run(clock.measure, schedule={"time_budget_s": 5.0}, clock=clock)
    assert len(clock.meter.groups) == 3
    assert clock.meter.seconds[1:] == [0.0, 0.0]


def test_a_table_of_another_device_is_not_continued():
    other = dataclasses.replace(
        METADATA, fingerprint=dataclasses.replace(METADATA.fingerprint, device="another")
    )
    with pytest.raises(ValueError, match=r"(?s)Expected .*a device.*received .*another"):
        run(Meter(), partial=LatencyTable({}, other))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_budget_s": 0.0}, r"time_budget_s=0\.0"),
        ({"group": 0}, "group=0"),
        ({"attempts": 0}, "attempts=0"),
        ({"max_drift": 0.0}, r"max_drift=0\.0"),
    ],
)
def test_impossible_schedules_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ProfileSchedule(**changes)


def test_the_progress_bar_counts_the_operations(capsys):
    run(Meter(), progress=True)
    assert "6/6" in capsys.readouterr().err
