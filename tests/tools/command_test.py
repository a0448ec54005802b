import sys

import pytest

from tools import command


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/home/a/tools/benchmark.py", "tools.benchmark"),
        ("/home/tools/b/tools/benchmarks/exports.py", "tools.benchmarks.exports"),
        ("benchmark.py", "tools.benchmark"),
    ],
)
def test_the_command_line_as_a_user_would_write_it(program, name, monkeypatch):
    monkeypatch.setattr(sys, "argv", [program, "--images=a b"])
    assert command.line() == f"python -m {name} '--images=a b'"
