"""Pieces that run tools: their order, and what an interruption leaves."""

import time

import pytest

from tools.benchmarks.gpu import camvid, supernet
from tools.benchmarks.gpu.options import Options
from tools.benchmarks.gpu.tool_runs import run_tool


def options_in(folder, seconds=60.0, **changes):
    deadline = time.monotonic() + seconds
    return Options(folder, deadline, "run", rehearsal=True, networks=(), **changes)


@pytest.fixture
def tools(monkeypatch):
    """The tools that the piece `camvid` runs; one of them can fail."""
    ran, failing = [], set()

    def fake(options, results, name, backend, call, read):
        ran.append((name, call))
        if name == "band":
            options.output.joinpath("camvid").mkdir(parents=True)
            options.output.joinpath("camvid", "band.json").write_text('{"band": [10, 20]}')
        if name in failing:
            results.add(name, {"error": "failed"})
        else:
            results.add(name, {"seconds": 1.0})
        return name not in failing

    monkeypatch.setattr(camvid, "run_tool", fake)
    return ran, failing


def test_stages_of_camvid_run_in_order(tools, tmp_path):
    ran, _ = tools
    assert camvid.run(options_in(tmp_path, data_dir="data", seeds=2)) == []
    assert [name for name, _ in ran][:8] == [
        *("latency", "band", "seed0/pretrain", "seed0/search", "seed0/teacher"),
        *("seed0/student", "seed0/student_alone", "seed0/published_student"),
    ]
    assert len(ran) == 2 + 2 * 8
    calls = dict(ran)
    assert "--search_min_fps=10" in calls["seed1/search"]
    assert any(each.startswith("--teacher=") for each in calls["seed0/student"])
    assert not any(each.startswith("--teacher=") for each in calls["seed0/student_alone"])
    workdirs = [
        next(each for each in call if each.startswith("--workdir"))
        for name, call in ran
        if name.endswith(("/student", "/student_alone", "/published_student", "/random_network"))
    ]
    assert len(set(workdirs)) == len(workdirs)


def test_a_failed_search_ends_its_seed(tools, tmp_path):
    ran, failing = tools
    failing.add("seed0/search")
    missing = camvid.run(options_in(tmp_path, data_dir="data", seeds=2))
    assert missing == [f"seed0/{name}" for name in (*camvid.NETWORKS, "random_genotype")]
    assert "seed1/random_network" in dict(ran)


def test_camvid_needs_its_folder(tmp_path):
    with pytest.raises(ValueError, match="--data_dir"):
        camvid.run(options_in(tmp_path))


SLEEP = "import time; time.sleep(600)"


def test_a_tool_beyond_the_deadline_stays_missing_and_its_time_counts(tmp_path):
    options = options_in(tmp_path, seconds=0.5)
    results = options.results("piece", {})
    assert not run_tool(options, results, "timeit", "jax", ["timeit", "-n1", SLEEP], dict)
    assert results.missing(["timeit"]) == ["timeit"]
    assert results.spend("timeit", 0.0) > 0


def test_the_last_line_of_a_failed_tool_is_its_error(tmp_path):
    options = options_in(tmp_path)
    results = options.results("piece", {})
    assert not run_tool(options, results, "a", "jax", ["no_such_module"], dict)
    assert "No module named no_such_module" in results.measurements["a"]["error"]


def test_sizes_and_schedules_are_those_of_the_presets():
    assert supernet._preset("pretrain") == {
        "crop_size": (256, 512),
        "epochs": 20,
        "steps_per_epoch": 495,
        "batch_size": 3,
    }
    assert supernet._preset("search")["crop_size"] == (224, 448)
