"""Flags are parsed before anything is imported that takes seconds."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from flags import settings_flags
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


def test_a_flagfile_of_a_whole_run_may_hold_all_of_its_flags():
    defined = set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", (ROOT / "tools/run_all.py").read_text()))
    assert "compare" in defined
    assert defined - {"workdir"} <= settings_flags.run_flags()


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


def test_a_flag_of_a_stage_is_found_by_its_last_words():
    finished, _ = start("train", "--epochs=3")
    assert finished.returncode == 1
    assert "'epochs'. Did you mean: student_epochs, teacher_epochs ?" in finished.stderr


def test_a_flagfile_may_hold_flags_of_other_stages_but_no_others(tmp_path):
    preset = ROOT / "flags" / "presets" / "demo.flags"
    given = ("--workdir", str(tmp_path / "run"), "--genotype=/gone.json")
    finished, _ = start("train", *given, "--flagfile", str(preset))
    *_, log, sentence, _ = filter(None, finished.stderr.splitlines())
    expected = "Ignored 21 flags of the flagfile that belong to other stages, from --num_layers to "
    assert f"{expected}--benchmark_input_size." in log
    assert "'/gone.json' is neither a preset" in sentence
    own = tmp_path / "own.flags"
    own.write_text("--search_epochs=1\n--search_epoch=1\n")
    finished, _ = start("train", *given, f"--flagfile={own}")
    assert "Unknown command line flag 'search_epoch'" in finished.stderr
    # On the command line itself it is a mistake.
    finished, _ = start("train", *given, "--search_epochs=1")
    assert "Unknown command line flag 'search_epochs'" in finished.stderr


@pytest.mark.parametrize(
    "program",
    [
        ("-m", "tools.search", "--help"),
        ("-c", "from tools import command; command.run(lambda: print('x' * 10**6))"),
        ("-c", "from tools import command; command.run(lambda: print('x'))"),
    ],
)
def test_a_closed_pipe_ends_a_tool_quietly(program):
    reader, writer = os.pipe()
    os.close(reader)
    finished = subprocess.run(
        [sys.executable, *program], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (141, "")


@pytest.mark.parametrize("tool", ["train", "serving/client", "benchmarks/exports"])
def test_a_tool_runs_by_its_path_from_anywhere(tool, tmp_path):
    program = ROOT / "tools" / f"{tool}.py"
    finished = subprocess.run(
        [sys.executable, program, "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "flags:" in finished.stdout
