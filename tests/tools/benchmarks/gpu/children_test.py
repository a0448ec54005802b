"""Processes that measure: crashes and deadlines."""

import time

import keras

from tests.tools.benchmarks.gpu.results_test import results_in
from tools.benchmarks.gpu.children import measure_in_child

BACKEND = keras.backend.backend()
FAKE = "tests.tools.benchmarks.gpu.fake_child"


def run(results, names, seconds=60.0):
    measure_in_child(results, FAKE, names, BACKEND, time.monotonic() + seconds)


def test_a_crash_is_an_error_and_the_others_are_measured(tmp_path):
    results = results_in(tmp_path)
    run(results, ["first", "crash", "last"])
    assert results.measurements["first"] == {"p50_ms": 1.0, "backend": BACKEND, "machine": 0}
    assert results.measurements["last"]["p50_ms"] == 1.0
    assert results.measurements["crash"]["error"] == (
        "the process ended with status 3: out of luck"
    )


def test_a_deadline_ends_a_measurement_which_stays_missing(tmp_path):
    results, names = results_in(tmp_path), ["first", "slow", "last"]
    start = time.monotonic()
    # The first one is measured in seconds even on a busy machine; the second never ends.
    run(results, names, seconds=15)
    assert time.monotonic() - start < 60
    assert results.missing(names) == ["slow", "last"]


def test_what_is_measured_is_not_measured_again(tmp_path):
    results = results_in(tmp_path)
    results.add("crash", {"p50_ms": 2.0})
    run(results, ["crash"])
    assert results.measurements["crash"]["p50_ms"] == 2.0
