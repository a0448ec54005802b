"""Frame rates that can be compared: what is timed, how often, and on what, is written down."""

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

# Numbers of different versions must not be compared: raise it with whatever changes a number.
# 2: a pause between the calls of different runners; scopes.
# 3: runners in turns are called untimed before the call that is timed. That the order of turns
# rotates came later: after the pause and those calls it changes no number.
HARNESS_VERSION = 3

PAUSE_MS = 20.0
SETTLE_MS = 30.0


@dataclasses.dataclass(frozen=True)
class BenchmarkResult:
    """The speed of one runner.

    Attributes:
        times: Distribution of the time of one batch.
        fps: Images a second at the median: `batch_size / p50`.
        input_size: Height and width of the images.
        batch_size: Images a call.
        runner: What the runner says of itself.
        environment: Machine and software, see `describe_environment`, taken before the warm-up;
            and `other_load_while_timing`, the work of others from then on, see `LoadMeter`.
        scope: Name of what was timed.
        harness_version: Only results of one version compare.
        artefact: What was run, as the user named it; `None` if it has no name.
        proof: What the artefact's manifest says of its proof, in a line; `None` if it has none.
        macs: Multiply-accumulates of the network's convolutions for one image; `None` if unknown.
        peak_macs_per_second: The most that this machine reached in products of large float32
            matrices in the same process, before or after; `None` if it was not measured.
        memory_peak_mib: Most resident memory of a process that loads and runs this alone.
        memory_before_mib: What that process had before.
        memory_gpu_mib: Its GPU memory.
        settings: How it was measured.
        command: The command line that measured it.
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
        """Multiply-accumulates a second at the median."""
        return None if self.macs is None else self.macs * self.fps

    @property
    def share_of_peak(self) -> float | None:
        """`macs_per_second` as a share of `peak_macs_per_second`."""
        if self.macs_per_second is None or self.peak_macs_per_second is None:
            return None
        return self.macs_per_second / self.peak_macs_per_second

    def to_json(self) -> dict[str, object]:
        """The fields, and what follows from them, as values fit for JSON."""
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
        results: By the runner's name.
        speedups: How many times faster than the first runner each one is: the median over the
            rounds of the first runner's time divided by this one's. A load that comes and goes
            meets both sides of each quotient.
        speedup_intervals: The 95 % interval of each of them, see `median_interval`; `None` for
            fewer than 6 rounds.
    """

    results: dict[str, BenchmarkResult]
    speedups: dict[str, float]
    speedup_intervals: dict[str, tuple[float, float] | None]

    def to_json(self) -> dict[str, Any]:
        """The fields as values fit for JSON."""
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
    """Measures how fast `runner` is.

    The images are random bytes from a fixed seed unless one is given, made before anything is
    timed; loading, tracing and a first call come before the warm-up.

    Args:
        runner: What to time.
        input_size: Height and width of the images, each at least 32.
        batch_size: Images a call.
        warmup: Least number of untimed calls before.
        warmup_seconds: Least duration of the untimed calls.
        min_repetitions: Least number of timed calls.
        min_seconds: Least sum of the timed calls.
        scope: What to time, a name of `SCOPES`.
        image: An image file to run on; `None` takes random bytes.

    Raises:
        FileNotFoundError: There is no such image.
        ValueError: A number is out of its range, or there is no such scope.
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
    """Measures runners in turns, so that all of them meet the same state of the machine.

    Who comes first changes from round to round: A B C, B C A, C A B.

    Args:
        runners: What to time, by name; the first is what the speedups refer to.
        input_size: Height and width of the images, each at least 32.
        batch_size: Images a call.
        warmup: Least number of untimed rounds before.
        warmup_seconds: Least duration of the untimed rounds.
        min_repetitions: Least number of timed rounds.
        min_seconds: Least sum of the timed calls of each runner.
        scope: What to time, a name of `SCOPES`.
        image: An image file to run on; `None` takes random bytes.
        pause_ms: Untimed pause between the calls of different runners, in which the worker
            threads of the last one come to rest.
        settle_ms: How long a runner is called untimed after that, at least once, until caches and
            threads are as in steady use; 0: not at all.
        progress: What a progress bar calls the work; `None` shows none.

    Raises:
        FileNotFoundError: There is no such image.
        ValueError: There is no runner, a number is out of its range, or there is no such scope.
    """
    if not runners:
        raise ValueError("There is nothing to measure: `runners` is empty.")
    check_durations(warmup, warmup_seconds, min_repetitions, min_seconds, pause_ms, settle_ms)
    chosen = find_scope(scope)
    images = benchmark_images(input_size, batch_size, image)
    environment = describe_environment()
    for runner in runners.values():
        runner.load()
    load = LoadMeter()
    with timed_calls(chosen, runners, images) as functions:
        for function in functions.values():
            # Some compile at their first call; that belongs to loading.
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
