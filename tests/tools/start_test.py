"""Flags are parsed before anything is imported that takes seconds."""

import json
import pathlib
import subprocess
import sys

import pytest

from tools import dispatch

ROOT = pathlib.Path(dispatch.__file__).parents[1]
BENCHMARKS = ("evaluation_memory", "exports", "input_pipeline", "supernet_step")
TOOLS = (*dispatch.tools(), *(f"benchmarks.{name}" for name in BENCHMARKS))
SLOW = {"keras", "tensorflow", "torch", "jax", "matplotlib", "onnx", "onnxruntime", "openvino"}
# Runs a tool and then says which packages it has imported.
RUN = """
import json, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    packages = sorted({name.partition(".")[0] for name in sys.modules})
    sys.stderr.write("\\n" + json.dumps(packages))
"""


def start(tool: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """A tool that has run, and the packages that it had imported at its end."""
    finished = subprocess.run(
        [sys.executable, "-c", RUN, f"tools.{tool}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return finished, set(json.loads(finished.stderr.splitlines()[-1]))


@pytest.mark.parametrize("tool", TOOLS)
def test_help_needs_neither_keras_nor_a_runtime(tool):
    finished, packages = start(tool, "--help")
    assert finished.returncode == 0
    assert "flags:" in finished.stdout
    assert not packages & SLOW


@pytest.mark.parametrize("argument", ["-h", "--helpfull", "--helpshort"])
def test_every_help_is_a_success(argument):
    finished, _ = start("train", argument)
    assert finished.returncode == 0
    assert "--genotype" in finished.stdout


@pytest.mark.parametrize("tool", TOOLS)
def test_a_typo_needs_neither_keras_nor_a_runtime(tool):
    finished, packages = start(tool, "--no_such_flag=1")
    assert finished.returncode == 1
    assert "Unknown command line flag 'no_such_flag'" in finished.stderr
    assert not packages & SLOW


def test_a_missing_flag_needs_neither_keras_nor_a_runtime():
    finished, packages = start("train", "--workdir=runs/a")
    assert finished.returncode == 1
    assert "--genotype must have a value other than None" in finished.stderr
    assert not packages & SLOW
