"""Files of results: resumption, machines and errors."""

from keras_fasterseg.files import read_json
from tools.benchmarks.gpu.results import Results

MACHINE = {"card": {"name": "card"}, "cpu": "cpu", "versions": {"jax": "1"}}


def results_in(folder, machine=MACHINE, command="run"):
    return Results(folder / "piece.json", machine, {"text": "method"}, command)


def test_every_measurement_is_in_the_file_at_once(tmp_path):
    results = results_in(tmp_path)
    results.add("a", {"p50_ms": 1.0})
    value = read_json(tmp_path / "piece.json")
    assert value["measurements"] == {"a": {"p50_ms": 1.0, "machine": 0}}
    assert value["machines"] == [{**MACHINE, "commands": ["run"]}]


def test_a_later_run_adds_what_is_missing(tmp_path):
    results_in(tmp_path).add("a", {"p50_ms": 1.0})
    results = results_in(tmp_path, command="again")
    assert results.missing(["a", "b"]) == ["b"]
    results.add("b", {"p50_ms": 2.0})
    value = read_json(tmp_path / "piece.json")
    assert value["machines"] == [{**MACHINE, "commands": ["run", "again"]}]
    assert list(value["measurements"]) == ["a", "b"]


def test_another_machine_is_recorded_as_such(tmp_path):
    results_in(tmp_path).add("a", {})
    results = results_in(tmp_path, {**MACHINE, "versions": {"jax": "2"}})
    results.add("b", {})
    assert [each["machine"] for each in results.measurements.values()] == [0, 1]


def test_errors_are_repeated_only_on_request(tmp_path):
    results = results_in(tmp_path)
    results.add("a", {"error": "out of memory"})
    assert results.missing(["a"]) == []
    results.forget_errors()
    assert results.missing(["a"]) == ["a"]


def test_the_time_of_interrupted_runs_counts(tmp_path):
    results_in(tmp_path).spend("a", 2.0)
    assert results_in(tmp_path).spend("a", 3.0) == 5.0
