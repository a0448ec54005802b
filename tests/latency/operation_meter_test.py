import math

import numpy as np
import pytest

import keras_fasterseg.spaces.joint.operations  # noqa: F401 - registers a pooling
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operation_meter import (
    RESOLUTION_MS,
    MeasurementSchedule,
    OperationMeter,
)
from keras_fasterseg.latency.operations import work

SHORT = OpKey("conv", 4, 6, 3, 8, 1)
LONG = OpKey("conv_2x", 4, 6, 3, 8, 1)
SERVING = OpKey("serving", 32, 64, 3, 5, 1)


class FakeDevice:
    """A device on which every operation has its time, and calling one has its own."""

    def __init__(self, milliseconds, call_ms=0.25, noise=lambda: 0.0):
        self.now = 0.0
        self.made = []
        self.calls = []
        self._milliseconds = milliseconds
        self._call_ms = call_ms
        self._noise = noise

    def clock(self):
        return self.now

    def copies(self, key, copies):
        self.made.append((key, copies))
        return self._call(key, copies * self._milliseconds[key])

    def empty(self, key, copies):
        return self._call(None, 0.0)

    def _call(self, key, milliseconds):
        def call():
            self.calls.append(key)
            self.now += (self._call_ms + milliseconds + self._noise()) / 1000

        return call


def measure(device, keys, seconds=None, **schedule):
    meter = OperationMeter(device, MeasurementSchedule(**schedule), clock=device.clock)
    return meter(keys, seconds)


def test_what_calling_costs_is_not_in_a_row():
    device = FakeDevice({SHORT: 0.125, LONG: 5.0}, call_ms=3.0)
    rows = measure(device, [SHORT, LONG], copies_ms=8.0, max_copies=4)
    assert rows[SHORT].latency_ms == pytest.approx(0.125)
    assert rows[LONG].latency_ms == pytest.approx(5.0)


def test_serving_is_timed_with_its_call():
    device = FakeDevice({SERVING: 2.0}, call_ms=0.5)
    assert measure(device, [SERVING])[SERVING].latency_ms == pytest.approx(2.5)
    assert device.made == [(SERVING, 1)]


def test_so_many_copies_as_last_long_enough():
    """By the best rate so far, 5 ms for the work of LONG: that of SHORT takes 1.4 ms or more."""
    ratio = work(LONG).macs / work(SHORT).macs
    device = FakeDevice({SHORT: 4.0, LONG: 5.0})
    meter = OperationMeter(device, MeasurementSchedule(copies_ms=6.0), clock=device.clock)
    meter([SHORT, LONG])
    assert device.made == [(SHORT, 1), (LONG, 1)]
    meter([])
    meter([SHORT])
    assert device.made[2:] == [(SHORT, min(4, math.ceil(6.0 / (5.0 / ratio))))]


def test_an_operation_that_multiplies_nothing_counts_its_input():
    key = OpKey("joint_average_pool", 40, 60, 8, 8, 2)
    assert work(key).macs == 0
    device = FakeDevice({LONG: 5.0, key: 1.0})
    meter = OperationMeter(
        device, MeasurementSchedule(copies_ms=60.0, max_copies=64), clock=device.clock
    )
    meter([LONG])
    meter([key])
    expected_ms = 40 * 60 * 8 / (work(LONG).macs / 5.0)
    assert device.made[-1] == (key, math.ceil(60.0 / expected_ms))


def test_operations_take_turns():
    device = FakeDevice({SHORT: 5.0, LONG: 9.0})
    measure(device, [SHORT, LONG], warmup=0, min_repetitions=7)
    assert device.calls == [SHORT, None, LONG, None] * 7


def test_graphs_are_kept_for_the_same_operations_once_more():
    device = FakeDevice({SHORT: 9.0, LONG: 9.0})
    meter = OperationMeter(device, clock=device.clock)
    meter([SHORT, LONG])
    meter([SHORT, LONG])
    assert [key for key, _ in device.made] == [SHORT, LONG]
    meter([LONG])
    meter([SHORT])
    assert [key for key, _ in device.made] == [SHORT, LONG, SHORT]


def test_percentiles_are_those_of_the_repetitions_after_the_warm_up():
    # Of the warm-up, the operation and the empty graph twice each; then 1, 2, ..., 11 ms.
    noise = iter([*[900.0] * 4, *np.ravel([(t, 0.0) for t in range(11)])])
    device = FakeDevice({LONG: 1.0}, noise=lambda: next(noise))
    row = measure(device, [LONG], warmup=2, min_repetitions=11, max_repetitions=11, copies_ms=1.0)[
        LONG
    ]
    assert (row.p10_ms, row.latency_ms, row.p90_ms) == pytest.approx((2, 6, 10))
    assert row.repetitions == 11


def test_measuring_ends_when_the_median_is_known():
    generator = np.random.default_rng(0)
    calm, noisy = (
        FakeDevice({LONG: 10.0}, noise=lambda scale=scale: generator.normal(0, scale))
        for scale in (0.05, 1.0)
    )
    schedule = {"precision": 0.02, "min_repetitions": 10, "max_repetitions": 500}
    assert measure(calm, [LONG], **schedule)[LONG].repetitions == 10
    row = measure(noisy, [LONG], **schedule)[LONG]
    assert 10 < row.repetitions < 500
    # Four times the half-width of the interval: it holds the median in 95 of 100 draws.
    assert row.latency_ms == pytest.approx(10.0, rel=0.08)


def test_it_ends_with_the_largest_number():
    generator = np.random.default_rng(0)
    device = FakeDevice({LONG: 1.0}, noise=lambda: generator.exponential(5.0))
    row = measure(device, [LONG], min_repetitions=6, max_repetitions=20)[LONG]
    assert row.repetitions == 20


def test_it_ends_when_the_time_is_up_but_not_below_the_least_number():
    generator = np.random.default_rng(0)
    device = FakeDevice({LONG: 100.0}, noise=lambda: generator.exponential(50.0))
    row = measure(device, [LONG], seconds=0.5, warmup=0, min_repetitions=8)[LONG]
    assert row.repetitions == 8


def test_it_says_which_operations_time_did_not_suffice_for():
    generator = np.random.default_rng(0)
    noisy = FakeDevice({LONG: 100.0, SHORT: 100.0}, noise=lambda: generator.exponential(50.0))
    schedule = MeasurementSchedule(warmup=0, min_repetitions=8, max_repetitions=40)
    meter = OperationMeter(noisy, schedule, clock=noisy.clock)
    meter([LONG, SHORT], seconds=0.5)
    assert meter.cut_short == {LONG, SHORT}
    meter([LONG])
    assert meter.cut_short == {SHORT}
    calm = FakeDevice({LONG: 10.0})
    meter = OperationMeter(calm, schedule, clock=calm.clock)
    # Time is up at once, but what is measured as often as it must is sure enough.
    meter([LONG], seconds=0.0)
    assert meter.cut_short == frozenset()


def test_noise_cannot_make_a_latency_negative():
    generator = np.random.default_rng(1)
    device = FakeDevice({SHORT: 0.0}, noise=lambda: generator.normal(-1, 0.1))
    device.empty = lambda key, copies: device._call(None, 1.0)
    row = measure(device, [SHORT], max_repetitions=20)[SHORT]
    assert row.latency_ms == RESOLUTION_MS
    assert row.p10_ms < 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warmup": -1}, "warmup=-1"),
        ({"min_repetitions": 0}, "min_repetitions=0"),
        ({"max_copies": 0}, "max_copies=0"),
        ({"min_repetitions": 9, "max_repetitions": 8}, "max_repetitions=8, min_repetitions=9"),
        ({"precision": 0.0}, r"precision=0\.0"),
        ({"copies_ms": -1.0}, r"copies_ms=-1\.0"),
    ],
)
def test_impossible_schedules_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        MeasurementSchedule(**changes)
