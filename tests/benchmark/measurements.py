"""Results of a benchmark with numbers that are easy to reckon with."""

from keras_fasterseg.benchmark.harness import BenchmarkResult
from keras_fasterseg.benchmark.statistics import TimeStatistics

ENVIRONMENT = {
    "cpu": "Fast 9",
    "gpus": [],
    "available_cores": 2,
    "power": {"governor": "performance"},
}


def result(p50_ms: float = 10.0, runner=(), environment=(), **fields) -> BenchmarkResult:
    """One result; `runner` and `environment` are facts in place of the usual ones."""
    usual = {"runtime": "keras", "version": "1", "precision": "float32", "threads": 2}
    return BenchmarkResult(
        **{
            "times": TimeStatistics(p50_ms, p50_ms + 1, p50_ms + 2, p50_ms, p50_ms, 8),
            "fps": 1000.0 / p50_ms,
            "input_size": (64, 128),
            "batch_size": 1,
            "runner": {**usual, "device": "CPU", **dict(runner)},
            "environment": {**ENVIRONMENT, **dict(environment)},
            "settings": {"warmup": 3, "image": None, "pause_ms": 20.0, "in_turns_with": []},
            **fields,
        }
    )
