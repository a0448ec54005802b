import dataclasses
import json

import pytest

from keras_fasterseg.benchmark import timing
from keras_fasterseg.benchmark.harness import HARNESS_VERSION, benchmark, interleaved
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from tests.benchmark.fake_clock import FakeClock
from tests.benchmark.fake_runner import FakeRunner
from tests.stand_in import MEAN, STD, segmentation_network


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_median_and_frame_rate(clock):
    runner = FakeRunner(clock, [100.0, 0.25, 0.5, 0.75])
    result = benchmark(
        runner, input_size=(64, 96), batch_size=2, warmup=1, min_repetitions=3, min_seconds=0.0
    )
    assert result.times.repetitions == 3
    assert result.times.p50_ms == pytest.approx(500.0)
    assert result.fps == pytest.approx(4.0)
    assert set(runner.log) == {("slow", (2, 64, 96, 3))}
    assert result.input_size == (64, 96)
    assert result.batch_size == 2
    assert result.runner["runtime"] == "slow"


def test_runners_take_turns_and_are_compared_round_by_round(clock):
    log = []
    # The second half of the rounds is three times slower for both: the quotient does not notice.
    first = FakeRunner(clock, [0.2, 0.2, 0.6, 0.6], "first", log)
    second = FakeRunner(clock, [0.1, 0.1, 0.3, 0.3], "second", log)
    result = interleaved(
        {"first": first, "second": second},
        input_size=(32, 32),
        warmup=0,
        min_repetitions=4,
        min_seconds=0.0,
        settle_ms=0.0,
    )
    assert [name for name, _ in log] == ["first", "second", "second", "first"] * 2
    assert result.speedups == {"first": pytest.approx(1.0), "second": pytest.approx(2.0)}
    assert result.speedup_intervals == {"first": None, "second": None}
    assert result.results["first"].times.mean_ms == pytest.approx(400.0)
    assert result.results["second"].times.mean_ms == pytest.approx(200.0)
    saved = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert set(saved["results"]) == {"first", "second"}
    assert saved["results"]["second"]["settings"]["in_turns_with"] == ["first", "second"]
    assert saved["results"]["second"]["settings"]["order"] == "rotated"


def test_a_speedup_has_an_interval_of_the_rounds_quotients(clock):
    # Quotients 1 to 10: by the sign test's table, ranks 2 and 9 of 10 hold the median.
    runners = {
        "first": FakeRunner(clock, [float(k) for k in range(1, 11)]),
        "second": FakeRunner(clock, [1.0]),
    }
    result = interleaved(
        runners,
        input_size=(32, 32),
        warmup=0,
        min_repetitions=10,
        min_seconds=0.0,
        settle_ms=0.0,
    )
    assert result.speedups["second"] == pytest.approx(5.5)
    assert result.speedup_intervals["second"] == pytest.approx((2.0, 9.0))
    assert result.speedup_intervals["first"] == pytest.approx((1.0, 1.0))
    assert result.to_json()["speedup_intervals"]["second"] == pytest.approx([2.0, 9.0])


def test_the_pause_between_runners_is_not_timed(clock):
    runners = {name: FakeRunner(clock, [0.5]) for name in ("first", "second")}
    result = interleaved(
        runners,
        input_size=(32, 32),
        warmup=0,
        min_repetitions=3,
        min_seconds=0.0,
        pause_ms=250.0,
        settle_ms=600.0,
    )
    assert result.results["second"].times.p99_ms == pytest.approx(500.0)
    # Loading and a first call of 50 s; six times a pause, two calls to settle and one that counts.
    assert clock.nanoseconds == pytest.approx(1e9 * (2 * 150 + 6 * (0.25 + 3 * 0.5)))
    settings = result.results["first"].settings
    assert (settings["pause_ms"], settings["settle_ms"]) == (250.0, 600.0)


def test_a_single_runner_has_no_pause(clock):
    runner = FakeRunner(clock, [0.5])
    result = benchmark(runner, input_size=(32, 32), warmup=0, min_repetitions=2, min_seconds=0.0)
    assert clock.nanoseconds == pytest.approx(1e9 * (150 + 2 * 0.5))
    assert (result.settings["pause_ms"], result.settings["settle_ms"]) == (0.0, 0.0)


def test_scope_of_the_network_alone_times_logits_that_stay_where_they_are(clock):
    runner = FakeRunner(clock, [0.5])
    result = benchmark(
        runner,
        input_size=(32, 32),
        warmup=0,
        min_repetitions=2,
        min_seconds=0.0,
        scope="network",
    )
    assert runner.inferred == ["logits", "logits"]
    assert runner.log == []
    assert result.scope == "network"
    assert "not copied back" in result.to_json()["scope_description"]


def test_share_of_the_peak_is_work_over_time_over_peak(clock):
    result = benchmark(
        FakeRunner(clock, [0.5]), input_size=(32, 32), min_repetitions=2, min_seconds=0.0
    )
    assert result.macs_per_second is None
    assert result.to_json()["share_of_peak"] is None
    result = dataclasses.replace(result, batch_size=1, macs=300, peak_macs_per_second=1000.0)
    assert result.macs_per_second == pytest.approx(600.0)
    assert result.to_json()["share_of_peak"] == pytest.approx(0.6)


def test_the_file_holds_the_result(clock, tmp_path):
    runner = FakeRunner(clock, [0.5])
    result = benchmark(runner, input_size=(32, 64), min_repetitions=2, min_seconds=0.0)
    result.save(tmp_path / "results" / "fps.json")
    saved = json.loads((tmp_path / "results" / "fps.json").read_text())
    assert saved == result.to_json()
    assert saved["harness_version"] == HARNESS_VERSION
    assert saved["scope"] == "network+argmax"
    assert saved["fps"] == pytest.approx(2.0)
    assert saved["times"]["p50_ms"] == pytest.approx(500.0)
    assert saved["input_size"] == [32, 64]
    facts = {"cpu", "versions", "load_average", "date", "other_load", "other_load_while_timing"}
    assert facts <= set(saved["environment"])
    assert saved["settings"]["order"] is None


def test_measures_a_real_network():
    runner = KerasRunner(segmentation_network(), MEAN, STD)
    result = benchmark(runner, input_size=(32, 64), warmup=1, min_repetitions=3, min_seconds=0.0)
    assert result.times.repetitions == 3
    assert result.fps == pytest.approx(1000.0 / result.times.p50_ms)
    assert result.runner["runtime"] == "keras"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_repetitions": 0}, "min_repetitions=0"),
        ({"min_seconds": -1.0}, "min_seconds=-1.0"),
        ({"input_size": (31, 64)}, r"input_size=\(31, 64\)"),
        ({"input_size": (64,)}, r"input_size=\(64,\)"),
        ({"batch_size": 0}, "batch_size=0"),
        (
            {"scope": "all"},
            "Unknown scope 'all'; choose one of network, network.argmax, file_to_label",
        ),
    ],
)
def test_impossible_measurements_are_refused_before_anything_is_loaded(clock, arguments, message):
    with pytest.raises(ValueError, match=message):
        benchmark(FakeRunner(clock, [1.0]), **{"input_size": (32, 32), **arguments})
    assert clock.nanoseconds == 0


def test_no_runner_is_refused():
    with pytest.raises(ValueError, match="`runners` is empty"):
        interleaved({}, input_size=(32, 32))


@pytest.mark.parametrize("name", ["pause", "settle"])
def test_negative_durations_are_refused(clock, name):
    with pytest.raises(ValueError, match=f"{name}_seconds=-1"):
        interleaved({"a": FakeRunner(clock, [1.0])}, input_size=(32, 32), **{f"{name}_ms": -1.0})
