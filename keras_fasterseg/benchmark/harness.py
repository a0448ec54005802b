"""Frame rates that can be compared: what is timed, how often, and on what, is written down."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from keras_fasterseg.benchmark.environment import describe_environment
from keras_fasterseg.benchmark.statistics import TimeStatistics
from keras_fasterseg.benchmark.timing import check_durations, measure_in_turns
from keras_fasterseg.files import PathLike, write_json
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.serving_graph import MINIMUM_SIZE

# Numbers of different versions must not be compared: raise it with whatever changes a number.
HARNESS_VERSION = 1

SCOPE = "network+argmax"
"""Timed is one call from uint8 images in host memory to class ids in host memory."""

IMAGE_SEED = 0


@dataclasses.dataclass(frozen=True)
class BenchmarkResult:
    """The speed of one runner.

    Attributes:
        times: Distribution of the time of one batch.
        fps: Images a second at the median: `batch_size / p50`.
        input_size: Height and width of the images.
        batch_size: Images a call.
        runner: What the runner says of itself.
        environment: Machine and software, see `describe_environment`; taken before the warm-up.
        scope: What was timed.
        harness_version: Only results of one version compare.
    """

    times: TimeStatistics
    fps: float
    input_size: tuple[int, int]
    batch_size: int
    runner: dict[str, object]
    environment: dict[str, object]
    scope: str = SCOPE
    harness_version: int = HARNESS_VERSION

    def to_json(self) -> dict[str, object]:
        """The fields as values fit for JSON."""
        return {**dataclasses.asdict(self), "input_size": list(self.input_size)}

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
    """

    results: dict[str, BenchmarkResult]
    speedups: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """The fields as values fit for JSON."""
        results = {name: result.to_json() for name, result in self.results.items()}
        return {"results": results, "speedups": dict(self.speedups)}


def benchmark(
    runner: Runner,
    *,
    input_size: tuple[int, int],
    batch_size: int = 1,
    warmup: int = 10,
    warmup_seconds: float = 0.0,
    min_repetitions: int = 50,
    min_seconds: float = 3.0,
) -> BenchmarkResult:
    """Measures how fast `runner` turns images into class ids.

    The images are random bytes from a fixed seed, made before anything is timed; loading and
    tracing come before the warm-up.

    Args:
        runner: What to time.
        input_size: Height and width of the images, each at least 32.
        batch_size: Images a call.
        warmup: Least number of untimed calls before.
        warmup_seconds: Least duration of the untimed calls.
        min_repetitions: Least number of timed calls.
        min_seconds: Least sum of the timed calls.

    Raises:
        ValueError: A number is out of its range.
    """
    return interleaved(
        {"runner": runner},
        input_size=input_size,
        batch_size=batch_size,
        warmup=warmup,
        warmup_seconds=warmup_seconds,
        min_repetitions=min_repetitions,
        min_seconds=min_seconds,
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
) -> InterleavedResult:
    """Measures runners in turns, A B A B, so that all of them meet the same state of the machine.

    Args:
        runners: What to time, by name; the first is what the speedups refer to.
        input_size: Height and width of the images, each at least 32.
        batch_size: Images a call.
        warmup: Least number of untimed rounds before.
        warmup_seconds: Least duration of the untimed rounds.
        min_repetitions: Least number of timed rounds.
        min_seconds: Least sum of the timed calls of each runner.

    Raises:
        ValueError: There is no runner, or a number is out of its range.
    """
    if not runners:
        raise ValueError("There is nothing to measure: `runners` is empty.")
    check_durations(warmup, warmup_seconds, min_repetitions, min_seconds)
    images = benchmark_images(input_size, batch_size)
    environment = describe_environment()
    for runner in runners.values():
        runner.load()
    functions = {name: _finished_call(runner, images) for name, runner in runners.items()}
    seconds = measure_in_turns(
        functions,
        warmup=warmup,
        warmup_seconds=warmup_seconds,
        min_repetitions=min_repetitions,
        min_seconds=min_seconds,
    )
    first = np.asarray(next(iter(seconds.values())))
    return InterleavedResult(
        results={
            name: _result(runner, seconds[name], images, environment)
            for name, runner in runners.items()
        },
        speedups={name: float(np.median(first / times)) for name, times in seconds.items()},
    )


def benchmark_images(input_size: tuple[int, int], batch_size: int = 1) -> np.ndarray:
    """The random images that are timed: uint8 `(batch_size, *input_size, 3)`, always the same.

    Raises:
        ValueError: A size is below 32 or the batch is empty.
    """
    if len(input_size) != 2 or min(input_size) < MINIMUM_SIZE:
        raise ValueError(
            f"`input_size` must be height and width, each at least {MINIMUM_SIZE}. "
            f"Received: input_size={input_size}"
        )
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    generator = np.random.default_rng(IMAGE_SEED)
    return generator.integers(0, 256, (batch_size, *input_size, 3), np.uint8)


def _finished_call(runner: Runner, images: np.ndarray) -> Callable[[], None]:
    def call() -> None:
        runner(images)
        runner.synchronize()

    return call


def _result(
    runner: Runner, seconds: list[float], images: np.ndarray, environment: dict[str, object]
) -> BenchmarkResult:
    times = TimeStatistics.from_seconds(seconds)
    batch_size, height, width, _ = images.shape
    return BenchmarkResult(
        times=times,
        fps=1000.0 * batch_size / times.p50_ms,
        input_size=(height, width),
        batch_size=batch_size,
        runner=runner.describe(),
        environment=environment,
    )
