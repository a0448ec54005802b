"""Job: measure the frame rate of an artefact on this device."""

import pathlib

from keras_fasterseg.benchmark.harness import BenchmarkResult
from keras_fasterseg.benchmark.harness import benchmark as benchmark_runner
from keras_fasterseg.pipelines.evaluate import open_runner
from keras_fasterseg.pipelines.settings import BenchmarkSettings


def benchmark(artefact: pathlib.Path, settings: BenchmarkSettings) -> BenchmarkResult:
    """Measures a SavedModel folder or a `network.keras` file.

    Raises:
        FileNotFoundError: There is no such artefact.
        ValueError: It is none of ours, or a setting is out of its range.
    """
    return benchmark_runner(
        open_runner(artefact),
        input_size=settings.input_size,
        batch_size=settings.batch_size,
        warmup=settings.warmup,
        min_repetitions=settings.repetitions,
        min_seconds=settings.seconds,
    )
