"""Times one operation on one runtime."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow


class OperationRunner(Protocol):
    """What runs an operation on the device. It holds one model at a time."""

    def load(self, model: keras.Model) -> None:
        """Prepares `model` in place of the one before."""
        ...

    def __call__(self, inputs: Any) -> Any:
        """Runs the model on a float32 tensor `(1, height, width, channels)`; may return early."""
        ...

    def synchronize(self) -> None:
        """Waits until all runs that were started are finished."""
        ...


@dataclass(frozen=True)
class MeasurementSchedule:
    """How often an operation is run.

    Attributes:
        warmup: Runs before the first that counts; they pay for compilation and cold caches.
        repetitions: Measurements, of which the percentiles are taken.
        calls: Runs in one measurement, which is divided by it. More than one hides what starting
            and waiting cost where a single run is shorter than that, as on a GPU.

    Raises:
        ValueError: `warmup` is negative, or `repetitions` or `calls` is below 1.
    """

    warmup: int = 10
    repetitions: int = 50
    calls: int = 1

    def __post_init__(self) -> None:
        for name, minimum in (("warmup", 0), ("repetitions", 1), ("calls", 1)):
            if getattr(self, name) < minimum:
                raise ValueError(
                    f"`{name}` must be at least {minimum}. Received: {name}={getattr(self, name)}"
                )


class OperationMeter:
    """Measures the latency of operations at batch size 1: `row = meter(key)`.

    Args:
        build: Makes the model of an operation; its input is `(1, height, width, in_filters)`.
        runner: Runs the model on the device.
        schedule: How often.
        clock: Seconds that pass, as `time.perf_counter`.
    """

    def __init__(
        self,
        build: Callable[[OpKey], keras.Model],
        runner: OperationRunner,
        schedule: MeasurementSchedule | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._build = build
        self._runner = runner
        self._schedule = schedule or MeasurementSchedule()
        self._clock = clock

    def __call__(self, key: OpKey) -> LatencyRow:
        """The median and the 10th and 90th percentile of the repetitions, in milliseconds."""
        self._runner.load(self._build(key))
        # A tensor of the backend lies on the device already, so that no repetition times a copy.
        inputs = keras.ops.convert_to_tensor(_random_images(key))
        for _ in range(self._schedule.warmup):
            self._runner(inputs)
        self._runner.synchronize()
        seconds = [self._time(inputs) for _ in range(self._schedule.repetitions)]
        p10, median, p90 = np.percentile(seconds, (10, 50, 90)) * 1000.0
        return LatencyRow(float(median), float(p10), float(p90), self._schedule.repetitions)

    def _time(self, inputs: Any) -> float:
        start = self._clock()
        for _ in range(self._schedule.calls):
            self._runner(inputs)
        self._runner.synchronize()
        return (self._clock() - start) / self._schedule.calls


def _random_images(key: OpKey) -> np.ndarray:
    generator = np.random.default_rng(seed=0)
    shape = (1, key.height, key.width, key.in_filters)
    return generator.standard_normal(shape, dtype=np.float32)
