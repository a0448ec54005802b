"""Tools, flags, presets, targets and pictures that the pages name are there."""

import functools
import re

import pytest

from tests.shared import ROOT
from tests.tools.run_tool import run_tool

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"python -m tools\.([\w.]+)([^`\n]*)")
_FLAG = re.compile(r"(?<![\w-])--(\w+)")
_FOREIGN = {
    *("override_repository", "pyargs", "test_env"),  # of Bazel and pytest
    *("gpus", "enable_batching", "model_base_path", "model_config_file", "model_name"),  # servers'
}


@functools.cache
def flags_of(tool: str) -> frozenset[str]:
    """The flags of a tool, those that every absl program has included."""
    text = run_tool(tool, "--help").stdout
    listed = re.findall(r"^\s+--(\[no\])?(\w+):", text, re.MULTILINE)
    names = {name for _, name in listed} | {f"no{name}" for no, name in listed if no}
    return frozenset({*names, "debug", "flagfile", "help"})


def tools() -> list[str]:
    """The tools with flags of their own."""
    paths = [path for part in ("", "serving/") for path in (ROOT / "tools").glob(f"{part}*.py")]
    return sorted(
        ".".join(path.relative_to(ROOT / "tools").with_suffix("").parts)
        for path in paths
        if "command.run(" in path.read_text(encoding="utf-8")
    )


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Every `python -m tools.X` in a page with the flags it is given."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [
        (tool.rstrip("."), _FLAG.findall(arguments)) for tool, arguments in _COMMAND.findall(joined)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_their_flags(page):
    for tool, flags in commands(page.read_text(encoding="utf-8")):
        assert (ROOT / "tools" / f"{tool.replace('.', '/')}.py").is_file(), tool
        # Those of tools.benchmarks are scripts for developers.
        if not tool.startswith("benchmarks."):
            assert set(flags) <= flags_of(tool), (tool, set(flags) - flags_of(tool))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_in_prose_are_some_tools(page):
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    spans = re.findall(r"`(--[^`]+)`", prose)
    named = {flag for span in spans for flag in _FLAG.findall(span)}
    known = frozenset().union(*map(flags_of, tools())) if named else frozenset()
    # A name that ends in an underscore stands for all flags that begin so.
    prefixes = {name for name in named if name.endswith("_")}
    for prefix in prefixes:
        assert any(name.startswith(prefix) for name in known), prefix
    unknown = named - known - prefixes - _FOREIGN
    assert not unknown, unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tools_presets_and_targets_are_there(page):
    text = page.read_text(encoding="utf-8")
    for tool in re.findall(r"`tools\.(\w+)`", text):
        assert (ROOT / "tools" / f"{tool}.py").is_file() or (ROOT / "tools" / tool).is_dir(), tool
    for preset in re.findall(r"flags/presets/\w+\.flags", text):
        assert (ROOT / preset).is_file(), preset
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([\w-]+)`", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pictures_are_there(page):
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / path).is_file(), path


def test_commands_are_found():
    text = "```\npython -m tools.train --a=1 \\\n    --b\n```\nand `python -m tools.search --c`."
    assert commands(text) == [("train", ["a", "b"]), ("search", ["c"])]
