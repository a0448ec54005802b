import keras
import numpy as np
import pytest

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operation_meter import MeasurementSchedule, OperationMeter

KEY = OpKey("conv", 4, 6, 3, 8, 1)


class FakeDevice:
    """A runner and its clock: runs only take time once the device is waited for."""

    def __init__(self, seconds):
        self._seconds = iter(seconds)
        self._now = 0.0
        self._pending = 0
        self.runs = 0
        self.models = []
        self.shapes = set()

    def clock(self):
        return self._now

    def load(self, model):
        self.models.append(model)

    def __call__(self, inputs):
        self.runs += 1
        self._pending += 1
        self.shapes.add((tuple(inputs.shape), keras.backend.standardize_dtype(inputs.dtype)))

    def synchronize(self):
        for _ in range(self._pending):
            self._now += next(self._seconds)
        self._pending = 0


def test_percentiles_are_those_of_the_repetitions_after_the_warm_up():
    seconds = np.arange(1, 12) / 1000
    device = FakeDevice([9.0, 9.0, 9.0, *np.random.default_rng(0).permutation(seconds)])
    schedule = MeasurementSchedule(warmup=3, repetitions=11)
    meter = OperationMeter(lambda key: f"model of {key}", device, schedule, clock=device.clock)
    row = meter(KEY)
    # Of 1, 2, ..., 11 ms.
    assert (row.p10_ms, row.latency_ms, row.p90_ms) == pytest.approx((2, 6, 10))
    assert row.repetitions == 11
    assert device.runs == 14
    assert device.models == [f"model of {KEY}"]
    assert device.shapes == {((1, 4, 6, 3), "float32")}


def test_several_calls_are_one_measurement():
    device = FakeDevice([0.001, 0.003] * 5)
    schedule = MeasurementSchedule(warmup=0, repetitions=5, calls=2)
    row = OperationMeter(lambda key: None, device, schedule, clock=device.clock)(KEY)
    assert (row.p10_ms, row.latency_ms, row.p90_ms) == pytest.approx((2, 2, 2))
    assert device.runs == 10


def test_a_real_model_is_measured():
    class EagerRunner:
        def load(self, model):
            self.model = model

        def __call__(self, inputs):
            self.output = self.model(inputs)

        def synchronize(self):
            keras.ops.convert_to_numpy(self.output)

    def build(key):
        inputs = keras.Input((key.height, key.width, key.in_filters), batch_size=1)
        return keras.Model(inputs, keras.layers.Conv2D(key.out_filters, 3)(inputs))

    runner = EagerRunner()
    row = OperationMeter(build, runner, MeasurementSchedule(warmup=1, repetitions=3))(KEY)
    assert 0 < row.p10_ms <= row.latency_ms <= row.p90_ms
    assert runner.output.shape == (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warmup": -1}, "warmup=-1"),
        ({"repetitions": 0}, "repetitions=0"),
        ({"calls": 0}, "calls=0"),
    ],
)
def test_impossible_schedules_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        MeasurementSchedule(**changes)
