import sys

import pytest
from absl import flags

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


def test_a_tilde_is_the_home_folder_in_every_flag_that_may_be_a_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/a")
    values = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "", flag_values=values)
    flags.DEFINE_string("name", "a~b", "", flag_values=values)
    flags.DEFINE_list("runs", [], "", flag_values=values)
    flags.DEFINE_integer("count", 1, "", flag_values=values)
    values(["tool", "--workdir=~/runs", "--runs=~/a,/b/~,~"])
    command.expand_paths(values)
    assert values.flag_values_dict() == {
        "workdir": "/home/a/runs",
        "name": "a~b",
        "runs": ["/home/a/a", "/b/~", "/home/a"],
        "count": 1,
    }
