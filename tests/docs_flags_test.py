"""Tools, flags, presets, targets and pictures named in the pages exist."""

import functools
import re
from collections.abc import Callable

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
    """The flags of a tool, including those of every absl program."""
    text = run_tool(tool, "--help").stdout
    listed = re.findall(r"^\s+--(\[no\])?(\w+):", text, re.MULTILINE)
    names = {name for _, name in listed} | {f"no{name}" for no, name in listed if no}
    return frozenset({*names, "debug", "flagfile", "help"})


def tools() -> list[str]:
    """The tools that define flags."""
    paths = [
        path
        for part in ("", "serving/", "cluster/", "maintenance/", "benchmarks/gpu/")
        for path in (ROOT / "tools").glob(f"{part}*.py")
    ]
    return sorted(
        ".".join(path.relative_to(ROOT / "tools").with_suffix("").parts)
        for path in paths
        if re.search(r"\b(command|app)\.run\(", path.read_text(encoding="utf-8"))
    )


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Every `python -m tools.X` in a page with the flags it is given."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [
        (tool.rstrip("."), _FLAG.findall(arguments)) for tool, arguments in _COMMAND.findall(joined)
    ]


def found(pattern: str, text: Callable[[str], str] = str) -> set[tuple[str, str]]:
    """The page and the name of every match, of which there must be some."""
    names = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(pattern, text(page.read_text(encoding="utf-8")))
    }
    assert names, pattern
    return names


def test_commands_have_their_flags():
    named = {
        (page.name, tool, flag)
        for page in PAGES
        for tool, flags in commands(page.read_text(encoding="utf-8"))
        for flag in flags
        # Those of tools.benchmarks are scripts for developers.
        if not tool.startswith("benchmarks.")
    }
    assert named
    assert {each for each in named if each[2] not in flags_of(each[1])} == set()


def test_flags_in_prose_are_some_tools():
    spans = found(r"`(--[^`]+)`", lambda text: _FENCE.sub("", text))
    known = frozenset().union(*map(flags_of, tools())) | _FOREIGN
    # A name that ends in an underscore stands for all flags that begin so.
    known |= {f"{name[:end]}_" for name in known for end in range(len(name)) if name[end] == "_"}
    named = {(page, flag) for page, span in spans for flag in _FLAG.findall(span)}
    assert {(page, flag) for page, flag in named if flag not in known} == set()


def test_named_tools_presets_targets_and_pictures_are_there():
    for page, tool in found(r"(?:`|python -m )tools\.([\w.]*\w)"):
        path = ROOT / "tools" / tool.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), (page, tool)
    for page, preset in found(r"flags/presets/\w+\.flags"):
        assert (ROOT / preset).is_file(), (page, preset)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page, target in found(r"`make ([\w-]+)`"):
        assert re.search(rf"^(?:[\w-]+ )*{target}(?: [\w-]+)*:", makefile, re.MULTILINE), (
            page,
            target,
        )
    for page, path in found(r"!\[[^\]]*\]\(([^)]+)\)"):
        folder = ROOT if page == "README.md" else ROOT / "docs"
        assert (folder / path).is_file(), (page, path)


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\[[^\]]*\]\((?!\w+:)([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), (page.name, target)
            if anchor:
                assert anchor in anchors(linked.read_text(encoding="utf-8")), (page.name, target)


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_commands_are_found():
    text = "```\npython -m tools.train --a=1 \\\n    --b\n```\nand `python -m tools.search --c`."
    assert commands(text) == [("train", ["a", "b"]), ("search", ["c"])]
