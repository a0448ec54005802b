"""Comparable frame rates, recorded with scope, settings and environment."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fasterseg.benchmark.environment import describe_environment
from keras_fasterseg.benchmark.images import benchmark_images
from keras_fasterseg.benchmark.load import LoadMeter
from keras_fasterseg.benchmark.scopes import DEFAULT_SCOPE, find_scope, timed_calls
from keras_fasterseg.benchmark.statistics import TimeStatistics
from keras_fasterseg.benchmark.timing import check_durations, measure_in_turns
from keras_fasterseg.files import PathLike, write_json
from keras_fasterseg.latency.median_interval import median_interval
from keras_fasterseg.runtimes.base import Runner

# Numbers of different versions must not be compared: increase it for every change of a number.
# 2: a pause between the calls of different runners; scopes.
# 3: runners in turns make untimed calls before each timed call. The rotating order was added
# later: after the pause and the untimed calls, it changes no number.
HARNESS_VERSION = 3

PAUSE_MS = 20.0
SETTLE_MS = 30.0


@dataclasses.dataclass(frozen=True)
class BenchmarkResult:
    """The speed of one runner.

    Attributes:
        times: Distribution of the time of one batch.
        fps: Images per second at the median: `batch_size / p50`.
        input_size: Height and width of the images.
        batch_size: Images per call.
        runner: Runner metadata.
        environment: Machine and software before the warm-up, see `describe_environment`, plus
            `other_load_while_timing`, the load by other programs from then on, see `LoadMeter`.
        scope: Name of the timed scope.
        harness_version: Version of the harness; only results of the same version are comparable.
        artefact: The artefact, as the user named it; `None` if it has no name.
        proof: Proof in the artefact's manifest, as one line; `None` if it has none.
        macs: Multiply-accumulates of the network's convolutions for one image; `None` if unknown.
        peak_macs_per_second: Highest rate of large float32 matrix products on this machine, in the
            same process, before or after; `None` if it was not measured.
        memory_peak_mib: Peak resident memory of a process that only loads and runs the artefact.
        memory_before_mib: Memory of that process before it opens the artefact.
        memory_gpu_mib: GPU memory of that process.
        settings: Settings of the measurement.
        command: The command line of the measurement.
    """

    times: TimeStatistics
    fps: float
    input_size: tuple[int, int]
    batch_size: int
    runner: dict[str, object]
    environment: dict[str, object]
    scope: str = DEFAULT_SCOPE
    harness_version: int = HARNESS_VERSION
    artefact: str | None = None
    proof: str | None = None
    macs: int | None = None
    peak_macs_per_second: float | None = None
    memory_peak_mib: float | None = None
    memory_before_mib: float | None = None
    memory_gpu_mib: float | None = None
    settings: dict[str, object] = dataclasses.field(default_factory=dict)
    command: str | None = None

    @property
    def macs_per_second(self) -> float | None:
        """Multiply-accumulates per second at the median."""
        return None if self.macs is None else self.macs * self.fps

    @property
    def share_of_peak(self) -> float | None:
        """`macs_per_second` as a share of `peak_macs_per_second`."""
        if self.macs_per_second is None or self.peak_macs_per_second is None:
            return None
        return self.macs_per_second / self.peak_macs_per_second

    def to_json(self) -> dict[str, object]:
        """Returns the fields, and values derived from them, as JSON values."""
        return {
            **dataclasses.asdict(self),
            "input_size": list(self.input_size),
            "scope_description": find_scope(self.scope).description,
            "macs_per_second": self.macs_per_second,
            "share_of_peak": self.share_of_peak,
        }

    def save(self, path: PathLike) -> None:
        """Writes the result to `path` as JSON, atomically."""
        write_json(path, self.to_json())


@dataclasses.dataclass(frozen=True)
class InterleavedResult:
    """The speed of several runners that took turns.

    Attributes:
        results: Results by the runner's name.
        speedups: Speed of each runner relative to the first: the median over the rounds of the
            first runner's time divided by this one's. A temporary load affects both times of a
            round.
        speedup_intervals: 95 % interval of each speedup, see `median_interval`; `None` for fewer
            than 6 rounds.
    """

    results: dict[str, BenchmarkResult]
    speedups: dict[str, float]
    speedup_intervals: dict[str, tuple[float, float] | None]

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        results = {name: result.to_json() for name, result in self.results.items()}
        intervals = {
            name: None if interval is None else list(interval)
            for name, interval in self.speedup_intervals.items()
        }
        return {
            "results": results,
            "speedups": dict(self.speedups),
            "speedup_intervals": intervals,
        }


def benchmark(
    runner: Runner,
    *,
    input_size: tuple[int, int],
    batch_size: int = 1,
    warmup: int = 10,
    warmup_seconds: float = 0.0,
    min_repetitions: int = 50,
    min_seconds: float = 3.0,
    scope: str = DEFAULT_SCOPE,
    image: PathLike | None = None,
) -> BenchmarkResult:
    """Measures the speed of `runner`.

    The images are prepared before timing; without `image` they are random bytes from a fixed seed.
    Loading, tracing and a first call precede the warm-up.

    Args:
        runner: The runner to time.
        input_size: Height and width of the images, each at least 32.
        batch_size: Images per call.
        warmup: Minimum number of untimed calls beforehand.
        warmup_seconds: Minimum duration of the untimed calls, in seconds.
        min_repetitions: Minimum number of timed calls.
        min_seconds: Minimum total duration of the timed calls, in seconds.
        scope: Scope to time, a name in `SCOPES`.
        image: Image file to run on; `None` uses random bytes.

    Raises:
        FileNotFoundError: The image does not exist.
        ValueError: A number is out of its range, or the scope is unknown.
    """
    return interleaved(
        {"runner": runner},
        input_size=input_size,
        batch_size=batch_size,
        warmup=warmup,
        warmup_seconds=warmup_seconds,
        min_repetitions=min_repetitions,
        min_seconds=min_seconds,
        scope=scope,
        image=image,
    ).results["runner"]


def interleaved(
    runners: Mapping[str, Runner],
    *,
    input_size: tuple[int, int],
    batch_size: int = 1,
    warmup: int = 10,
    warmup_seconds: float = 0.0,
    min_repetitions: int = 50,
    min_seconds: float = 3.0,
    scope: str = DEFAULT_SCOPE,
    image: PathLike | None = None,
    pause_ms: float = PAUSE_MS,
    settle_ms: float = SETTLE_MS,
    progress: str | None = None,
) -> InterleavedResult:
    """Measures runners in turns, so that the state of the machine is the same for all of them.

    The order rotates from round to round: A B C, B C A, C A B.

    Args:
        runners: Runners to time, by name; speedups are relative to the first.
        input_size: Height and width of the images, each at least 32.
        batch_size: Images per call.
        warmup: Minimum number of untimed rounds beforehand.
        warmup_seconds: Minimum duration of each runner's untimed calls, in seconds.
        min_repetitions: Minimum number of timed rounds.
        min_seconds: Minimum total duration of each runner's timed calls, in seconds.
        scope: Scope to time, a name in `SCOPES`.
        image: Image file to run on; `None` uses random bytes.
        pause_ms: Untimed pause between calls of different runners, in milliseconds. It lets the
            worker threads of the previous runner come to rest.
        settle_ms: Duration of a runner's untimed calls after the pause, in milliseconds, at least
            one call. They bring caches and threads into the state of steady use. 0: no calls.
        progress: Description of a progress bar; `None` shows none.

    Raises:
        FileNotFoundError: The image does not exist.
        ValueError: `runners` is empty, a number is out of its range, or the scope is unknown.
    """
    if not runners:
        raise ValueError("Nothing to measure: `runners` is empty.")
    check_durations(warmup, warmup_seconds, min_repetitions, min_seconds, pause_ms, settle_ms)
    chosen = find_scope(scope)
    images = benchmark_images(input_size, batch_size, image)
    environment = describe_environment()
    for runner in runners.values():
        runner.load()
    load = LoadMeter()
    with timed_calls(chosen, runners, images) as functions:
        for function in functions.values():
            # Some compile at their first call, which counts as loading.
            function()
        seconds = measure_in_turns(
            functions,
            warmup=warmup,
            warmup_seconds=warmup_seconds,
            min_repetitions=min_repetitions,
            min_seconds=min_seconds,
            pause_seconds=1e-3 * pause_ms,
            settle_seconds=1e-3 * settle_ms,
            description=progress,
        )
    environment = {**environment, "other_load_while_timing": load.load()}
    first = np.asarray(next(iter(seconds.values())))
    quotients = {name: first / times for name, times in seconds.items()}
    settings = {
        "warmup": warmup,
        "warmup_seconds": warmup_seconds,
        "min_repetitions": min_repetitions,
        "min_seconds": min_seconds,
        "image": None if image is None else str(image),
        "pause_ms": pause_ms if len(runners) > 1 else 0.0,
        "settle_ms": settle_ms if len(runners) > 1 else 0.0,
        "in_turns_with": list(runners) if len(runners) > 1 else [],
        "order": "rotated" if len(runners) > 1 else None,
    }
    return InterleavedResult(
        results={
            name: BenchmarkResult(
                **_speed(seconds[name], images),
                runner=runner.describe(),
                environment=environment,
                scope=scope,
                settings=settings,
            )
            for name, runner in runners.items()
        },
        speedups={name: float(np.median(values)) for name, values in quotients.items()},
        speedup_intervals={name: _interval(values) for name, values in quotients.items()},
    )


def _speed(seconds: list[float], images: np.ndarray) -> dict[str, Any]:
    times = TimeStatistics.from_seconds(seconds)
    batch_size, height, width, _ = images.shape
    return {
        "times": times,
        "fps": 1000.0 * batch_size / times.p50_ms,
        "input_size": (height, width),
        "batch_size": batch_size,
    }


def _interval(values: np.ndarray) -> tuple[float, float] | None:
    # JSON has no infinite numbers.
    interval = median_interval(values)
    return interval if math.isfinite(interval[0]) else None


def sentence_of_turns(result: Mapping[str, Any]) -> str:
    """Device and method of frame rates measured in turns, from the JSON of one of the results."""
    runner, environment, times = result["runner"], result["environment"], result["times"]
    device = environment["cpu"] if runner["device"] == "CPU" else runner["device"]
    return (
        f"{device}, {runner['threads']} threads: the exported network ({runner['runtime']}, "
        f"{runner['version']}, {runner['precision']}), uint8 images to class ids in host memory, "
        f"batch {result['batch_size']}, median of {times['repetitions']} calls, all networks in "
        f"turns; harness version {result['harness_version']}"
    )
