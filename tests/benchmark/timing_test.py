import functools

import pytest

from keras_fasterseg.benchmark import timing
from keras_fasterseg.benchmark.timing import measure_callable, measure_in_turns
from tests.benchmark.fake_clock import FakeClock


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_runs_the_least_number_of_repetitions_after_the_warm_up(clock):
    calls = []

    def function():
        calls.append(len(calls))
        clock.sleep(0.5 if len(calls) <= 3 else 0.25)

    times = measure_callable(function, warmup=3, min_repetitions=4, min_seconds=0.0)
    assert times == pytest.approx([0.25] * 4)
    assert len(calls) == 7


def test_goes_on_until_the_least_duration(clock):
    times = measure_callable(
        lambda: clock.sleep(0.25), warmup=0, min_repetitions=2, min_seconds=1.5
    )
    assert len(times) == 6


def test_warms_up_for_seconds(clock):
    calls = []

    def function():
        calls.append(None)
        clock.sleep(0.25)

    times = measure_callable(
        function, warmup=1, warmup_seconds=1.0, min_repetitions=1, min_seconds=0.0
    )
    assert len(times) == 1
    assert len(calls) == 5


def test_functions_take_turns(clock):
    order = []

    def function(name, seconds):
        def call():
            order.append(name)
            clock.sleep(seconds)

        return call

    times = measure_in_turns(
        {"a": function("a", 1.0), "b": function("b", 0.5)},
        warmup=1,
        warmup_seconds=0.0,
        min_repetitions=1,
        min_seconds=1.0,
    )
    # One round to warm up, two until b has had its second, which begin with one and the other.
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert times == {"a": pytest.approx([1.0, 1.0]), "b": pytest.approx([0.5, 0.5])}


def test_every_round_begins_with_the_next_function(clock):
    order = []
    measure_in_turns(
        {name: functools.partial(order.append, name) for name in "abc"},
        warmup=0,
        warmup_seconds=0.0,
        min_repetitions=4,
        min_seconds=0.0,
    )
    assert "".join(order) == "abcbcacababc"


def test_a_pause_comes_before_every_call_and_is_not_timed(clock):
    begun = []

    def call():
        begun.append(clock.nanoseconds)
        clock.sleep(1.0)

    times = measure_in_turns(
        {"a": call, "b": call},
        warmup=1,
        warmup_seconds=0.0,
        min_repetitions=1,
        min_seconds=0.0,
        pause_seconds=0.5,
    )
    assert begun == [5e8, 2e9, 3.5e9, 5e9]
    assert times == {"a": pytest.approx([1.0]), "b": pytest.approx([1.0])}


def test_what_is_timed_is_settled(clock):
    """After another function and a pause, the first calls find cold caches: slow, and untimed."""
    begun = []

    class Cooling:
        def __init__(self):
            self.last = None

        def __call__(self):
            # Warm only right after a call of its own.
            warm = self.last == clock.nanoseconds
            begun.append(warm)
            clock.sleep(0.25 if warm else 1.0)
            self.last = clock.nanoseconds

    options = {"warmup": 0, "warmup_seconds": 0.0, "min_repetitions": 2, "min_seconds": 0.0}
    functions = {"a": Cooling(), "b": Cooling()}
    cold = measure_in_turns(functions, **options, pause_seconds=0.5)
    assert cold == {"a": pytest.approx([1.0, 1.0]), "b": pytest.approx([1.0, 1.0])}
    warm = measure_in_turns(functions, **options, pause_seconds=0.5, settle_seconds=0.1)
    assert warm == {"a": pytest.approx([0.25, 0.25]), "b": pytest.approx([0.25, 0.25])}
    begun.clear()
    # 1.4 s: one cold and two warm calls, then the one that counts.
    measure_in_turns(functions, **options, pause_seconds=0.5, settle_seconds=1.4)
    assert begun == [False, True, True, True] * 4


def test_a_function_that_is_alone_is_settled_already(clock):
    calls = []
    measure_in_turns(
        {"a": lambda: calls.append(clock.sleep(1.0))},
        warmup=0,
        warmup_seconds=0.0,
        min_repetitions=2,
        min_seconds=0.0,
        settle_seconds=5.0,
    )
    assert len(calls) == 2


def test_the_bar_knows_how_many_rounds_there_will_be(clock, monkeypatch):
    totals = []

    def bar(items, description, *, unit, total, show):
        totals.append((description, total, show))
        return items

    monkeypatch.setattr(timing, "progress_bar", bar)
    seconds = {"a": 0.5, "b": 0.25}
    measure_in_turns(
        {name: functools.partial(clock.sleep, value) for name, value in seconds.items()},
        warmup=1,
        warmup_seconds=0.0,
        min_repetitions=2,
        min_seconds=2.0,
        description="Timing",
    )
    # The quickest takes eight rounds for its two seconds.
    assert totals == [("", None, False), ("Timing", 8, True)]


def test_times_really_pass_without_the_fake():
    times = measure_callable(lambda: None, warmup=0, min_repetitions=5, min_seconds=0.0)
    assert len(times) == 5
    assert min(times) >= 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_repetitions": 0}, "min_repetitions=0"),
        ({"min_seconds": -1.0}, "min_seconds=-1.0"),
        ({"warmup": -1}, "warmup=-1"),
        ({"warmup_seconds": -0.5}, "warmup_seconds=-0.5"),
    ],
)
def test_impossible_durations_are_refused_before_anything_runs(arguments, message):
    calls = []
    with pytest.raises(ValueError, match=message):
        measure_callable(lambda: calls.append(None), **arguments)
    assert calls == []
