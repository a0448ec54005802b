"""The command `keras_fasterseg` of an installed wheel: `keras_fasterseg NAME` runs `tools.NAME`.

In a checkout, `python -m tools.NAME` does the same.
"""

import ast
import pathlib
import runpy
import sys
from collections.abc import Sequence

_TOOLS = pathlib.Path(__file__).resolve().parent
_PRESETS = _TOOLS.parent / "flags" / "presets"
_HELP = ("-h", "--help", "--helpfull", "help")


def tools() -> dict[str, str]:
    """All tools by name, each with the first sentence of its docstring."""
    found = {}
    for path in [*sorted(_TOOLS.glob("*.py")), *sorted(_TOOLS.glob("serving/*.py"))]:
        text = path.read_text(encoding="utf-8")
        if '\nif __name__ == "__main__":' in text:
            name = ".".join(path.relative_to(_TOOLS).with_suffix("").parts)
            found[name] = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return found


def usage() -> str:
    """Usage of the command: tools and presets."""
    found = tools()
    width = max(map(len, found))
    return "\n".join(
        [
            "usage: keras_fasterseg TOOL [--FLAG=VALUE ...]",
            "",
            *(f"  {name:{width}}  {sentence}" for name, sentence in found.items()),
            "",
            "`keras_fasterseg TOOL --help` lists the flags of a tool. Presets for --flagfile:",
            *(f"  {path}" for path in sorted(_PRESETS.glob("*.flags"))),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool named by the first argument, with the other arguments.

    Args:
        arguments: Command line; `None` uses that of this process.

    Raises:
        SystemExit: The tool is unknown, or ended with a status.
    """
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    if name in _HELP:
        print(usage())
        return
    if name not in tools():
        sys.exit(f"keras_fasterseg: unknown tool {name!r}; choose one of {', '.join(tools())}")
    # Tools import one another, and the flags, by their names in the repository.
    sys.path.insert(0, str(_TOOLS.parent))
    sys.argv = [name, *rest]
    runpy.run_module(f"tools.{name}", run_name="__main__", alter_sys=True)
