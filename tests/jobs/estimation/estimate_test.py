"""What an estimate says and refuses."""

import json

import pytest

from keras_fasterseg.jobs.estimation.estimate import (
    ASSUMED,
    AT_MOST,
    COMPUTED,
    MEASURED,
    TYPICAL,
    Estimate,
    StageEstimate,
    check_fits,
)
from keras_fasterseg.jobs.estimation.probe import ProbeFailure

GB = 10**9


def stage(name="search", basis=MEASURED, memory=4 * GB, disk=GB, **kwargs):
    return StageEstimate(
        name, basis, disk, seconds=60.0, steps=1000, step_seconds=0.5, memory_bytes=memory, **kwargs
    )


def estimate(*stages, memory=8 * GB, disk=10 * GB):
    return Estimate(stages, memory, disk)


def test_totals_are_sums_and_the_greatest_memory():
    both = estimate(stage(), stage("teacher", memory=6 * GB, disk=2 * GB))
    assert (both.seconds, both.memory_bytes, both.disk_bytes) == (120.0, 6 * GB, 3 * GB)


def test_what_fits_passes():
    check_fits(estimate(stage()))
    check_fits(estimate())


def test_too_much_memory_is_refused_with_what_to_do():
    message = (
        r"^The stage search needs 9.00 GB of memory \(measured\), 8.00 GB are free; make "
        r"--search_batch_size or --search_crop_size smaller. --force runs it all the same.$"
    )
    with pytest.raises(ValueError, match=message):
        check_fits(estimate(stage(memory=9 * GB)))


def test_every_stage_that_does_not_fit_is_named():
    stages = [stage(memory=9 * GB), stage("pretrain", memory=10 * GB)]
    with pytest.raises(ValueError, match=r"search needs 9.00 .* pretrain needs 10.00 "):
        check_fits(estimate(*stages))


def test_a_stage_that_was_killed_is_refused():
    failure = ProbeFailure("memory", "the system killed it")
    failed = StageEstimate("pretrain", MEASURED, 0, steps=5, failure=failure)
    with pytest.raises(ValueError, match="pretrain does not fit: the system killed it; make "):
        check_fits(estimate(failed))


def test_the_latency_table_has_a_remedy_of_its_own():
    with pytest.raises(ValueError, match="; make --latency_size smaller"):
        check_fits(estimate(stage("latency", memory=9 * GB)))


@pytest.mark.parametrize("kind", ["time", "error"])
def test_what_could_not_be_measured_is_not_refused(kind):
    failed = StageEstimate("search", MEASURED, 0, steps=5, failure=ProbeFailure(kind, "a reason"))
    check_fits(estimate(failed))
    assert "search is not measured: a reason." in estimate(failed).table()


@pytest.mark.parametrize("basis", [AT_MOST, TYPICAL])
def test_the_memory_of_an_unknown_network_is_a_warning(caplog, basis):
    check_fits(estimate(stage("teacher", basis, memory=90 * GB)))
    assert f"teacher needs 90.00 GB of memory ({basis})" in caplog.text


def test_a_computed_memory_is_refused_beyond_its_margin(caplog):
    check_fits(estimate(stage(basis=COMPUTED, memory=12 * GB)))
    assert "search needs 12.00 GB of memory (computed), 8.00 GB are free" in caplog.text
    with pytest.raises(ValueError, match=r"search needs 12.10 GB .* make --search_batch_size or"):
        check_fits(estimate(stage(basis=COMPUTED, memory=12_100_000_000)))


def test_too_little_disk_is_refused():
    message = (
        r"^The run needs 11.00 GB of disk, 10.00 GB are free; choose a workdir on another disk"
    )
    with pytest.raises(OSError, match=message):
        check_fits(estimate(stage(disk=6 * GB), stage("teacher", disk=5 * GB)))


def test_force_warns_in_place_of_refusing(caplog):
    check_fits(estimate(stage(memory=9 * GB, disk=11 * GB)), force=True)
    assert "search needs 9.00 GB" in caplog.text
    assert "The run needs 11.00 GB of disk" in caplog.text


def test_the_table_says_what_each_stage_takes():
    table = estimate(
        stage(), stage("teacher", AT_MOST), StageEstimate("export", ASSUMED, GB, seconds=30.0)
    ).table()
    rows = {line.split()[0]: " ".join(line.split()) for line in table.splitlines() if line}
    assert rows["search"] == "search 1,000 0.5 60 s 4.00 GB 1.00 GB measured"
    assert rows["teacher"] == "teacher 1,000 0.5 60 s 4.00 GB 1.00 GB at most"
    assert rows["export"] == "export 30 s 1.00 GB assumed"
    assert rows["total"] == "total 2.5 min 4.00 GB 3.00 GB"
    assert rows["Free:"] == "Free: 8.00 GB of memory, 10.00 GB of disk."
    assert "GPU" not in rows["stage"]
    assert "at most: the same, with" in table
    assert "typical: " not in table


def test_the_memory_of_a_gpu_is_shown_where_there_is_one():
    table = estimate(stage(gpu_bytes=3 * GB)).table()
    assert "GPU memory" in table
    assert "3.00 GB" in table


def test_an_unknown_time_makes_the_total_a_lower_bound():
    failed = StageEstimate("teacher", MEASURED, 0, steps=5, failure=ProbeFailure("time", "slow"))
    table = estimate(stage(), failed).table()
    (total,) = [line for line in table.splitlines() if line.startswith("total")]
    assert "over 60 s" in total


def test_a_finished_run_has_nothing_to_estimate():
    assert estimate().table() == "Every stage is finished; there is nothing to estimate."


def test_json_holds_every_field():
    failure = ProbeFailure("time", "slow")
    value = json.loads(json.dumps(estimate(stage(failure=failure)).to_json()))
    assert value["free_memory_bytes"] == 8 * GB
    assert value["stages"][0]["failure"] == {"kind": "time", "reason": "slow"}
