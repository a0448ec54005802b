"""BUILD matches the tree: its Starlark runs as Python with stand-ins for Bazel's functions."""

import os
import re
import tomllib

import pytest

from tests.shared import ROOT

HOUSE = ("keras_fasterseg", "flags", "tools", "tests")
pytestmark = pytest.mark.skipif(
    "TEST_SRCDIR" in os.environ,
    reason="Bazel gives a test what it declares, and this one is about the whole tree",
)


def glob(include, exclude=(), allow_empty=False):
    found = [_relative(ROOT.glob(pattern)) for pattern in include]
    # Bazel 8 refuses a pattern without a file.
    assert allow_empty or all(found), f"one of {include} in BUILD matches nothing"
    left_out = (path for pattern in exclude for path in ROOT.glob(pattern))
    return sorted(set().union(*found) - _relative(left_out))


def _relative(paths) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in paths}


@pytest.fixture(scope="module")
def build():
    """The names assigned in BUILD, and its targets by name."""
    targets = {}

    def rule(kind):
        def define(name, **attributes):
            assert name not in targets
            targets[name] = {"kind": kind, "srcs": [], "data": [], "deps": [], **attributes}

        return define

    kinds = ("py_binary", "py_library", "py_test", "genrule", "label_flag")
    names = {"glob": glob, **{kind: rule(kind) for kind in kinds}}
    names |= dict.fromkeys(("load", "package", "exports_files"), lambda *_, **__: None)
    exec((ROOT / "BUILD").read_text(encoding="utf-8"), names)
    return names, targets


def test_layers_are_those_of_the_import_linter(build):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    layers = [
        sorted(
            name.partition(".")[2]
            for name in layer.split(" | ")
            if name.startswith("keras_fasterseg.") and (ROOT / name.replace(".", "/")).is_dir()
        )
        for layer in reversed(contract)
    ]
    names, _ = build
    assert names["LAYERS"] == [layer for layer in layers if layer]


def test_every_file_of_the_tree_is_in_a_target(build):
    _, targets = build
    files = {file for each in targets.values() for file in (*each["srcs"], *each["data"])}
    tree = [path for folder in HOUSE for path in (ROOT / folder).rglob("*")]
    suffixes = (".flags", ".json", ".npz", ".py")
    expected = _relative(path for path in tree if path.suffix in suffixes)
    assert files == {*expected, "run_pytest.py", "pyproject.toml"}


def test_dependencies_are_there(build):
    _, targets = build
    for target in targets.values():
        assert {label.removeprefix(":") for label in target["deps"]} <= targets.keys()


def test_tools_are_binaries(build):
    _, targets = build
    programs = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for path in (ROOT / "tools").rglob("*.py")
        if re.search(r"\n    (command\.run\(main|app\.run\()", path.read_text(encoding="utf-8"))
    }
    assert "tools/run_all" in programs
    # Bazel takes the file of the target's name for its main file.
    binaries = {name: each["srcs"] for name, each in targets.items() if each["kind"] == "py_binary"}
    assert binaries == {name: [f"{name}.py"] for name in programs}


def test_every_test_is_run(build):
    _, targets = build
    run = [each["args"][0].split()[1] for each in targets.values() if each["kind"] == "py_test"]
    children = {path.split("/")[1].removesuffix(".py") for path in glob(["tests/**/*_test.py"])}
    assert sorted(run) == sorted(f"tests.{child}" for child in children)
