"""The first section of docs/own_data.md, from nothing to a result, with the shortest of runs."""

import re
import shlex

import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.run.run import stages_of
from keras_fasterseg.run.trained_networks import load_network
from keras_fasterseg.spaces.registry import make_space
from tests.shared import ROOT
from tests.tools import tiny_run
from tests.tools.run_tool import run_tool

PAGE = (ROOT / "docs" / "own_data.md").read_text(encoding="utf-8").partition("\n## 2.")[0]
NORMALISATION = "mean: [0.4, 0.5, 0.3]\nstd: [0.2, 0.1, 0.3]\n"
# What the page's preset is replaced by.
TINY = (
    *(*tiny_run.SUPERNET, *tiny_run.LATENCY, *tiny_run.PRETRAIN, *tiny_run.SEARCH),
    *(*tiny_run.TEACHER, *tiny_run.STUDENT, "--benchmark_repetitions=1"),
    *("--benchmark_seconds=0", "--benchmark_warmup=1", "--benchmark_input_size=64x128"),
)

STAGES = stages_of(make_space())


@pytest.mark.slow
def test_from_nothing_to_a_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(code, {"__name__": "__main__"})
    with open("yard/dataset.yaml", "a", encoding="utf-8") as file:
        file.write(NORMALISATION)

    text = re.sub(r"\\\n\s*", " ", PAGE)
    printed = {}
    for command in re.findall(r"^python -m tools\.(.*)$", text, re.MULTILINE):
        tool, *arguments = shlex.split(command)
        if tool == "run_all":
            arguments = [each for each in arguments if not each.startswith("--flagfile")]
            arguments += TINY
        finished = run_tool(tool, *arguments)
        assert finished.status == 0, finished.stderr
        printed[tool] = finished.stdout

    assert list(printed) == ["run_all", "evaluate", "benchmark", "export"]
    for name in ("grass", "path", "ball"):
        assert re.search(rf"^{name}\s", printed["run_all"], re.MULTILINE)
    # It has no epoch of pretraining, which is not estimated then.
    stages = [name for name in STAGES if name != "pretrain"]
    assert _ended_stages(printed["run_all"]) == [*stages, "total"]
    times = read_json(tmp_path / "runs" / "yard" / "estimate.json")["times"]
    assert [row["name"] for row in times] == stages
    assert all(row["taken_seconds"] > 0 for row in times)
    assert "12 images of val" in printed["evaluate"]
    network = load_network(tmp_path / "runs" / "yard" / "student" / "network.keras")
    manifest = read_json(tmp_path / "runs" / "yard" / "student.onnx" / "manifest.json")
    assert manifest["class_names"] == ["grass", "path", "ball"]
    assert network.mean == tuple(manifest["mean"]) == (0.4, 0.5, 0.3)


def _ended_stages(printed: str) -> list[str]:
    """The first column of the table of estimated and taken times, which ends the output."""
    estimate, _, table = printed.rpartition("\nstage ")
    assert "Free: " in estimate
    assert "actual/estimated" in table
    return [line.split()[0] for line in table.splitlines()[2:]]
