"""The drawing tools, and their errors."""

import pytest

from tests.shared import ROOT
from tests.tools.run_tool import run_tool, sentence
from tests.visualization.svg_text import texts

RESULTS = ROOT / "docs" / "results"


def test_a_preset_by_a_table_at_the_size_of_that_table(tmp_path):
    table = RESULTS / "latency_onnxruntime" / "latency" / "latency_table.json"
    finished = run_tool(
        "draw_architecture",
        "--genotype=fasterseg_student",
        f"--latency_table={table}",
        f"--output={tmp_path}/student.svg",
    )
    assert finished.status == 0, finished
    assert finished.stdout == f"The picture is {tmp_path}/student.svg\n"
    assert any("GMACs at 512x1024" in text for text in texts(tmp_path / "student.svg"))
    kept = ROOT / "docs" / "pictures" / "fasterseg_student.svg"
    assert texts(kept) == texts(tmp_path / "student.svg"), "run `make pictures`"


def test_a_search_without_a_comparison(tmp_path):
    finished = run_tool(
        "draw_search", f"--workdir={RESULTS}/bands_low", f"--output={tmp_path}", "--format=png"
    )
    assert finished.status == 0, finished
    lines = finished.stdout.splitlines()
    assert lines[0] == f"Wrote {tmp_path}/search.png"
    assert f"Wrote {tmp_path}/student.png" in lines
    assert sum("is left out: " in line for line in lines) == len(lines) - 3


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("draw_architecture", ("--genotype=fasterseg_student",), "--output"),
        ("draw_architecture", ("--genotype=gone.json", "--output=a.svg"), "neither a preset"),
        ("draw_architecture", ("--genotype=fasterseg_student", "--output=a.gif"), "a .png file"),
        (
            "draw_architecture",
            ("--genotype=fasterseg_student", "--output=a.svg", "--input_size=100x200"),
            "multiples of 32",
        ),
        ("draw_search", ("--workdir=gone", "--output=a"), "gone has nothing to draw"),
        ("draw_search", ("--workdir=gone", "--output=a", "--format=gif"), "<svg|png>"),
    ],
)
def test_wrong_flags(tool, arguments, message):
    assert message in sentence(run_tool(tool, *arguments))
