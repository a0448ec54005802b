"""Tables of estimated and taken times, by hand-computed values."""

import logging as python_logging

import pytest
from absl import logging

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.reports import estimate_table
from keras_fasterseg.reports.estimate_table import (
    ASSUMED,
    AT_MOST,
    COMPUTED,
    MEASURED,
    Estimate,
    StageEstimate,
    StageTime,
    StageTimes,
    gigabytes,
    read_times,
)

GB = 10**9


def estimate(*stages: StageEstimate) -> Estimate:
    return Estimate(stages, 8 * GB, 10 * GB)


def lines(table: str) -> dict[str, str]:
    """The lines of a table by their first words, with single spaces."""
    return {line.split()[0]: " ".join(line.split()) for line in table.splitlines() if line}


def test_the_table_says_what_each_stage_takes():
    rows = lines(
        estimate(
            StageEstimate("search", MEASURED, 60.0, GB, 1000, 0.5, 4 * GB),
            StageEstimate("teacher", AT_MOST, 60.0, GB, 1000, 0.5, 6 * GB),
            StageEstimate("export", ASSUMED, 30.0, GB),
        ).table()
    )
    assert rows["search"] == "search 1,000 0.5 60 s 4.00 GB 1.00 GB measured"
    assert rows["export"] == "export 30 s 1.00 GB assumed"
    assert rows["total"] == "total 2.5 min 6.00 GB 3.00 GB"
    assert rows["Free:"] == "Free: 8.00 GB memory, 10.00 GB disk."
    assert "GPU" not in rows["stage"]
    assert "at most: for the most expensive" in rows["measured:"]
    assert "typical: " not in rows["measured:"]


def test_the_memory_of_a_gpu_is_shown_where_there_is_one():
    table = estimate(StageEstimate("search", MEASURED, 60.0, GB, gpu_bytes=3 * GB)).table()
    assert "GPU memory" in table
    assert "3.00 GB" in table


def test_a_finished_run_has_nothing_to_estimate():
    assert estimate().table() == "All stages are finished; nothing is left to estimate."


def test_gigabytes_are_decimal():
    assert gigabytes(7_504_000_000) == "7.50 GB"


def kept_times(file, *rows) -> StageTimes:
    """The times of a run whose estimate had these stages and seconds."""
    write_json(file, {"estimate": 7, "times": [vars(StageTime(n, COMPUTED, s)) for n, s in rows]})
    return StageTimes(file)


@pytest.fixture
def messages(caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    with caplog.at_level(python_logging.INFO, "absl"):
        yield caplog


def test_an_ended_stage_is_kept_and_what_remains_is_as_wrong(tmp_path, messages):
    file = tmp_path / "estimate.json"
    kept = kept_times(file, ("pretrain", 20.0), ("search", 40.0))
    assert kept.table() == ""
    kept.ended("pretrain", 30.0)
    # It has no estimate.
    kept.ended("comparison", 7.0)
    kept.ended("search", 50.0)
    assert messages.messages == [
        "pretrain took 30 s, estimated 20 s; about 60 s remain.",
        "search took 50 s, estimated 40 s.",
    ]
    assert read_json(file)["estimate"] == 7
    assert read_times(read_json(file)) == [
        StageTime("pretrain", COMPUTED, 20.0, 30.0),
        StageTime("search", COMPUTED, 40.0, 50.0),
    ]
    rows = lines(kept.table())
    assert rows["pretrain"] == "pretrain computed 20 s 30 s 1.50"
    assert rows["total"] == "total 60 s 80 s 1.33"


def test_a_run_survives_the_loss_of_its_estimate(tmp_path, messages, monkeypatch):
    file = tmp_path / "estimate.json"
    kept = kept_times(file, ("pretrain", 20.0), ("search", 40.0))
    file.unlink()
    kept.ended("pretrain", 30.0)
    assert len(read_times(read_json(file))) == 2

    def full_disk(path, value):
        raise OSError("No space left on device")

    monkeypatch.setattr(estimate_table, "write_json", full_disk)
    kept.ended("search", 50.0)
    assert (
        f"The time of search could not be saved in {file}: No space left on device" in messages.text
    )
    assert lines(kept.table())["total"] == "total 60 s 80 s 1.33"


def test_an_estimate_of_nothing_has_no_ratio(tmp_path, messages):
    kept = kept_times(tmp_path / "estimate.json", ("pretrain", 0.0), ("search", 40.0))
    kept.ended("pretrain", 9.0)
    assert messages.messages == ["pretrain took 9 s, estimated 0 s; about 40 s remain."]


def test_an_earlier_version_has_no_times():
    assert read_times({"measurements": {}}) == []
    with pytest.raises(KeyError):
        read_times({"times": [{"stage": "search"}]})
    row = {"name": "search", "basis": "", "estimated_seconds": None, "taken_seconds": None}
    with pytest.raises(TypeError):
        read_times({"times": [row]})
