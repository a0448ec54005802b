import json

import numpy as np
import pytest

from keras_fasterseg.benchmark import timing
from keras_fasterseg.benchmark.harness import benchmark, benchmark_images, interleaved
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from tests.benchmark.fake_clock import FakeClock
from tests.stand_in import MEAN, STD, segmentation_network


class SlowRunner(Runner):
    """Takes the next of `seconds` for a call, the last third of it in `synchronize`."""

    def __init__(self, clock, seconds, name="slow", log=None):
        self.clock, self.seconds, self.name = clock, seconds, name
        self.log = [] if log is None else log
        self.calls = 0
        self.loaded = False

    def load(self):
        if not self.loaded:
            self.clock.sleep(100.0)
        self.loaded = True

    def synchronize(self):
        self.clock.sleep(self._duration() / 3)
        self.calls += 1

    def describe(self):
        return {"runtime": self.name}

    def _class_ids(self, images):
        self.log.append((self.name, images.shape))
        self.clock.sleep(2 * self._duration() / 3)
        return np.zeros(images.shape[:3], np.uint8)

    def _logits(self, images):
        raise NotImplementedError

    def _duration(self):
        return self.seconds[self.calls % len(self.seconds)]


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_median_and_frame_rate(clock):
    runner = SlowRunner(clock, [100.0, 0.25, 0.5, 0.75])
    result = benchmark(
        runner, input_size=(64, 96), batch_size=2, warmup=1, min_repetitions=3, min_seconds=0.0
    )
    assert result.times.repetitions == 3
    assert result.times.p50_ms == pytest.approx(500.0)
    assert result.fps == pytest.approx(4.0)
    assert set(runner.log) == {("slow", (2, 64, 96, 3))}
    assert result.input_size == (64, 96)
    assert result.batch_size == 2
    assert result.runner == {"runtime": "slow"}


def test_runners_take_turns_and_are_compared_round_by_round(clock):
    log = []
    # The second half of the rounds is three times slower for both: the quotient does not notice.
    first = SlowRunner(clock, [0.2, 0.2, 0.6, 0.6], "first", log)
    second = SlowRunner(clock, [0.1, 0.1, 0.3, 0.3], "second", log)
    result = interleaved(
        {"first": first, "second": second},
        input_size=(32, 32),
        warmup=0,
        min_repetitions=4,
        min_seconds=0.0,
    )
    assert [name for name, _ in log] == ["first", "second"] * 4
    assert result.speedups == {"first": pytest.approx(1.0), "second": pytest.approx(2.0)}
    assert result.results["first"].times.mean_ms == pytest.approx(400.0)
    assert result.results["second"].times.mean_ms == pytest.approx(200.0)
    assert set(json.loads(json.dumps(result.to_json()))["results"]) == {"first", "second"}


def test_the_file_holds_the_result(clock, tmp_path):
    runner = SlowRunner(clock, [0.5])
    result = benchmark(runner, input_size=(32, 64), min_repetitions=2, min_seconds=0.0)
    result.save(tmp_path / "results" / "fps.json")
    saved = json.loads((tmp_path / "results" / "fps.json").read_text())
    assert saved == result.to_json()
    assert saved["harness_version"] == 1
    assert saved["scope"] == "network+argmax"
    assert saved["fps"] == pytest.approx(2.0)
    assert saved["times"]["p50_ms"] == pytest.approx(500.0)
    assert saved["input_size"] == [32, 64]
    assert {"cpu", "versions", "load_average", "date"} <= set(saved["environment"])


def test_measures_a_real_network():
    runner = KerasRunner(segmentation_network(), MEAN, STD)
    result = benchmark(runner, input_size=(32, 64), warmup=1, min_repetitions=3, min_seconds=0.0)
    assert result.times.repetitions == 3
    assert result.fps == pytest.approx(1000.0 / result.times.p50_ms)
    assert result.runner["runtime"] == "keras"


def test_images_are_random_bytes_that_stay_the_same():
    images = benchmark_images((64, 96), batch_size=2)
    assert images.shape == (2, 64, 96, 3)
    assert images.dtype == np.uint8
    assert len(np.unique(images)) == 256
    np.testing.assert_array_equal(images, benchmark_images((64, 96), batch_size=2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_repetitions": 0}, "min_repetitions=0"),
        ({"min_seconds": -1.0}, "min_seconds=-1.0"),
        ({"input_size": (31, 64)}, r"input_size=\(31, 64\)"),
        ({"input_size": (64,)}, r"input_size=\(64,\)"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_impossible_measurements_are_refused_before_anything_is_loaded(clock, arguments, message):
    with pytest.raises(ValueError, match=message):
        benchmark(SlowRunner(clock, [1.0]), **{"input_size": (32, 32), **arguments})
    assert clock.nanoseconds == 0


def test_no_runner_is_refused():
    with pytest.raises(ValueError, match="`runners` is empty"):
        interleaved({}, input_size=(32, 32))
