"""Estimated beside taken times, by hand-computed values."""

import logging as python_logging

import pytest
from absl import logging

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.jobs.estimation import stage_times
from keras_fasterseg.jobs.estimation.estimate import ASSUMED, COMPUTED, Estimate, StageEstimate
from keras_fasterseg.jobs.estimation.stage_times import (
    StageTime,
    StageTimes,
    continued_times,
    read_times,
    remaining_seconds,
    times_table,
)


def times(*rows):
    """A `StageTime` for every name, estimate and time taken."""
    return [StageTime(name, COMPUTED, *seconds) for name, *seconds in rows]


def test_estimates_stand_until_a_stage_has_ended():
    assert remaining_seconds(times(("latency", 10.0), ("pretrain", 20.0), ("search", 30.0))) == 60
    ended = times(("latency", 10.0, 30.0), ("pretrain", 20.0), ("search", 30.0))
    assert remaining_seconds(ended) == 3 * 50


def test_what_remains_is_as_wrong_as_what_has_ended_of_its_kind():
    rows = (("search", 30.0), ("teacher", 40.0), ("export", 5.0))
    ended = times(("latency", 10.0, 10.0), ("pretrain", 20.0, 50.0), *rows)
    # Of the supernet 2.5; of other kinds that of both, 60 s over 30 s.
    assert remaining_seconds(ended) == 2.5 * 30 + 2 * (40 + 5)
    ended = times(("search", 30.0, 15.0), ("teacher", 40.0, 10.0), ("student", 60.0))
    assert remaining_seconds(ended) == 60 / 4


def test_what_has_no_estimate_counts_nothing():
    assert remaining_seconds(times(("search", None), ("teacher", 40.0))) == 40
    assert remaining_seconds(times(("pretrain", None, 9.0), ("search", 40.0))) == 40
    assert remaining_seconds(times(("pretrain", 0.0, 9.0), ("search", 40.0))) == 40
    assert remaining_seconds([]) == 0


def test_the_table_has_every_stage_that_has_ended():
    stages = times(("latency", 40.0, 42.0), ("pretrain", 20.0, 50.0), ("search", 30.0))
    rows = [" ".join(line.split()) for line in times_table(stages).splitlines()]
    assert rows[2:] == [
        "latency computed 40 s 42 s 1.05",
        "pretrain computed 20 s 50 s 2.50",
        "total 60 s 1.5 min 1.53",
    ]


def test_the_table_says_what_was_not_estimated():
    rows = times_table(times(("pretrain", None, 50.0), ("search", 30.0, 30.0))).splitlines()
    assert rows[2].split() == ["pretrain", "computed", "?", "50", "s"]
    assert rows[4].split() == ["total", "?", "80", "s"]


def test_an_ended_stage_is_kept_and_what_remains_is_logged(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    file = tmp_path / "estimate.json"
    estimate = Estimate(
        (
            StageEstimate("data", ASSUMED, 1, seconds=0.0),
            StageEstimate("pretrain", COMPUTED, 1, seconds=20.0),
            StageEstimate("search", COMPUTED, 1, seconds=40.0),
        ),
        1,
        1,
    )
    rows = continued_times([], estimate)
    write_json(file, {"measurements": {}, "times": [vars(row) for row in rows]})
    kept = StageTimes(file)
    with caplog.at_level(python_logging.INFO, "absl"):
        kept.ended("pretrain", 30.0)
        kept.ended("comparison", 7.0)
        kept.ended("search", 50.0)
    assert caplog.messages == [
        "pretrain took 30 s, estimated 20 s; about 60 s remain.",
        "search took 50 s, estimated 40 s.",
    ]
    assert read_times(read_json(file)) == times(("pretrain", 20.0, 30.0), ("search", 40.0, 50.0))
    assert kept.table().splitlines()[-1].split() == ["total", "60", "s", "80", "s", "1.33"]


def kept_times(file, *rows) -> StageTimes:
    """The times of a run whose estimate had these rows."""
    write_json(file, {"measurements": {}, "times": [vars(row) for row in times(*rows)]})
    return StageTimes(file)


def test_a_rest_without_estimates_is_not_said_to_take_no_time(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    kept = kept_times(tmp_path / "estimate.json", ("pretrain", 20.0), ("search", None))
    with caplog.at_level(python_logging.INFO, "absl"):
        kept.ended("pretrain", 30.0)
    assert caplog.messages == ["pretrain took 30 s, estimated 20 s."]


def test_a_run_survives_the_loss_of_its_estimate(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    file = tmp_path / "estimate.json"
    kept = kept_times(file, ("pretrain", 20.0), ("search", 40.0))
    file.write_text("damaged", encoding="utf-8")
    kept.ended("pretrain", 30.0)
    assert read_times(read_json(file)) == times(("pretrain", 20.0, 30.0), ("search", 40.0))

    def full_disk(path, value):
        raise OSError("No space left on device")

    monkeypatch.setattr(stage_times, "write_json", full_disk)
    with caplog.at_level(python_logging.WARNING, "absl"):
        kept.ended("search", 50.0)
    assert f"The time of search is not kept in {file}: No space left on device" in caplog.text
    assert kept.table().splitlines()[-1].split() == ["total", "60", "s", "80", "s", "1.33"]


def test_nothing_has_ended_and_there_is_no_table():
    assert times_table(times(("search", 9.0))) == ""
    assert times_table(times(("search", 0.0, 9.0))).splitlines()[2].split()[2:] == [
        *("0", "s"),
        *("9", "s"),
    ]


def test_a_resumed_run_keeps_what_has_ended():
    estimate = Estimate((StageEstimate("search", COMPUTED, 1, seconds=9.0),), 1, 1)
    before = times(("pretrain", 20.0, 30.0), ("search", 40.0))
    assert continued_times(before, estimate) == times(("pretrain", 20.0, 30.0), ("search", 9.0))
    again = times(("search", 40.0, 50.0))
    assert continued_times(again, estimate) == times(("search", 9.0))


def test_an_earlier_version_has_no_times():
    assert read_times({"measurements": {}}) == []
    with pytest.raises(TypeError):
        read_times({"times": [{"stage": "search"}]})
