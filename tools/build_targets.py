"""The Bazel targets of this repository, found in its tree and in what its files import.

Four kinds: a `py_library` a floor of the library, named after it, and one for all of it; a
`py_binary` a tool and a `py_test` a folder of tests, named by their paths; a `py_library` a folder
of what its tests share.
"""

import ast
import dataclasses
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

LIBRARY = "keras_fasterseg"
THIRD_PARTY = "third_party"

_PYTHON = ("", ".py", ".pyc")

_HEADER = '''"""Targets of keras_fasterseg; docs/bazel.md tells how to use them.

Written by `python -m tools.build_file`; change tools/build_targets.py, not this file.
"""

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

package(default_visibility = ["//visibility:public"])

exports_files([
    "LICENSE",
    "pyproject.toml",
    "requirements.txt",
])

# Packages from elsewhere: the interpreter's own, unless this is set to a py_library that has them.
label_flag(
    name = "third_party",
    build_setting_default = ":installed_packages",
)

py_library(name = "installed_packages")

# The main file of every test. At the root, since Python looks beside it first: in tests/, it would
# take `tests/flags` for `flags`. With a guard, since processes that a test starts import it anew.
genrule(
    name = "run_pytest",
    testonly = True,
    outs = ["run_pytest.py"],
    cmd = """
        echo 'import sys, pytest' > $@
        echo 'if __name__ == "__main__": sys.exit(pytest.main(sys.argv[1:]))' >> $@
    """,
)
'''


@dataclasses.dataclass(frozen=True)
class Target:
    """One rule of the BUILD file.

    Attributes:
        rule: `py_library`, `py_binary` or `py_test`.
        name: The target's name, without a colon.
        include: Its Python files: paths below the root or patterns, as Bazel's glob takes them.
        exclude: Patterns of files that `include` matches and the target does not have.
        data: Paths or patterns of what it reads while it runs.
        dependencies: Names of the targets that it depends on, sorted.
        run: Of a test, the module or package in `tests` that pytest runs.
    """

    rule: str
    name: str
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    run: str | None = None

    def files(self, root: pathlib.Path) -> list[str]:
        """Paths of the target's Python files below `root`, sorted."""
        excluded = _matches(root, self.exclude)
        return sorted(_matches(root, self.include) - excluded)


def find_targets(root: pathlib.Path) -> list[Target]:
    """All targets of the tree at `root`, with all that they depend on.

    A target depends on the owners of the modules that its files import, inside functions too, and
    on `third_party` if they import what is neither ours nor Python's. `keras_fasterseg/__init__.py`
    belongs to the library as a whole, although Python runs it before any module of a floor: floors
    stand on their own. Who depends on the whole library needs no floor of it by name.

    Raises:
        FileNotFoundError: `root` is not a checkout of this repository.
        ValueError: A file has a relative import.
    """
    if not (root / "pyproject.toml").is_file() or not (root / LIBRARY).is_dir():
        raise FileNotFoundError(f"{root.resolve()} is no checkout of {LIBRARY}; run this in one.")
    targets = [*_library(root), *_tools(root), *_tests(root)]
    owners = {_module(file): target.name for target in targets for file in target.files(root)}
    return [
        dataclasses.replace(
            target,
            dependencies=_dependencies(root, target, owners),
        )
        for target in targets
    ]


def build_file_text(targets: Iterable[Target]) -> str:
    """The BUILD file with `targets`, formatted as buildifier has it."""
    return "\n".join([_HEADER, *(_rule(target) for target in targets)])


def _library(root: pathlib.Path) -> Iterator[Target]:
    floors = list(_children(root, LIBRARY))
    for name, pattern in floors:
        yield Target("py_library", name, (pattern,), data=_data(root, f"{LIBRARY}/{name}"))
    names = tuple(name for name, _ in floors)
    yield Target("py_library", LIBRARY, (f"{LIBRARY}/__init__.py",), dependencies=names)
    yield Target("py_library", "flags", ("flags/**/*.py",), data=_data(root, "flags"))


def _tools(root: pathlib.Path) -> Iterator[Target]:
    binaries, modules = [], []
    for file in sorted(_matches(root, ("tools/**/*.py",))):
        (binaries if _is_program(root / file) else modules).append(file)
    yield Target("py_library", "tools", tuple(modules))
    for file in binaries:
        # With the library as a user has it: Keras loads only classes that are imported by then.
        yield Target("py_binary", file.removesuffix(".py"), (file,), dependencies=(LIBRARY,))


def _tests(root: pathlib.Path) -> Iterator[Target]:
    floors = [name for name, _ in _children(root, LIBRARY)]
    tools = [target.name for target in _tools(root)]
    shared = ("tests/*.py", "tests/**/__init__.py")
    settings = ("pyproject.toml",)
    yield Target("py_library", "tests/support", shared, ("tests/*_test.py",), settings)
    for child, pattern in _children(root, "tests"):
        name = child.removesuffix("_test")
        needed = ["tests/support", THIRD_PARTY]
        if name not in floors:
            # What tests no floor may start any tool, by its name.
            needed += tools
        tests = pattern.replace("*.py", "*_test.py")
        if tests != pattern:
            excluded = (tests, pattern.replace("*.py", "__init__.py"))
            support = Target("py_library", f"tests/{name}_support", (pattern,), excluded)
            if support.files(root):
                yield support
                # Even if none of it is imported: pytest finds a conftest.py by itself.
                needed.append(support.name)
        test = Target("py_test", f"tests/{name}_test", (tests,), (), (), tuple(needed), child)
        if tests.endswith("_test.py") and test.files(root):
            yield test


def _children(root: pathlib.Path, folder: str) -> Iterator[tuple[str, str]]:
    """Name and pattern of every package and module in `folder`."""
    for path in sorted((root / folder).iterdir()):
        if path.is_dir() and any(path.glob("**/*.py")):
            yield path.name, f"{folder}/{path.name}/**/*.py"
        elif path.suffix == ".py" and path.name != "__init__.py":
            yield path.stem, f"{folder}/{path.name}"


def _is_program(path: pathlib.Path) -> bool:
    return any(
        isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        for node in _parsed(path).body
    )


def _parsed(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _matches(root: pathlib.Path, patterns: Iterable[str]) -> set[str]:
    return {
        path.relative_to(root).as_posix() for pattern in patterns for path in root.glob(pattern)
    }


def _data(root: pathlib.Path, folder: str) -> tuple[str, ...]:
    """Patterns of the files in `folder` that are not Python's own."""
    files = (path.relative_to(root) for path in (root / folder).rglob("*") if path.is_file())
    # Such a file has a suffix; what has none, or only that (.DS_Store), is not of the tree.
    suffixes = {(path.parent, path.suffix) for path in files if path.suffix not in _PYTHON}
    return tuple(sorted(f"{parent.as_posix()}/*{suffix}" for parent, suffix in suffixes))


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _dependencies(root: pathlib.Path, target: Target, owners: Mapping[str, str]) -> tuple[str, ...]:
    names = set(target.dependencies)
    for file in target.files(root):
        for module, name in _imports(root / file):
            owner = owners.get(f"{module}.{name}") or owners.get(module)
            if owner:
                names.add(owner)
            elif module.partition(".")[0] not in sys.stdlib_module_names:
                names.add(THIRD_PARTY)
    if LIBRARY in names:
        names -= {name for module, name in owners.items() if module.startswith(f"{LIBRARY}.")}
    return tuple(sorted(names - {target.name}))


def _imports(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Every import of a file: the module, and the name taken from it or nothing."""
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"{path}:{node.lineno} is a relative import; write it absolutely.")
            yield from ((node.module, alias.name) for alias in node.names)


def _rule(target: Target) -> str:
    attributes = {"name": f'"{target.name}"'}
    sources = _files(target.include, target.exclude)
    if target.rule == "py_test":
        attributes |= {
            "size": '"large"',
            "srcs": f'["run_pytest.py"] + {sources}',
            "args": _list([f"--pyargs tests.{target.run} -p no:cacheprovider"]),
            "main": '"run_pytest.py"',
        }
    else:
        if target.name.startswith("tests/"):
            attributes["testonly"] = "True"
        attributes["srcs"] = sources
        if target.data:
            attributes["data"] = _files(target.data)
    if target.dependencies:
        attributes["deps"] = _list(f":{name}" for name in target.dependencies)
    lines = [f"    {name} = {value},\n" for name, value in attributes.items()]
    return f"{target.rule}(\n{''.join(lines)})\n"


def _files(include: Sequence[str], exclude: Sequence[str] = ()) -> str:
    if not any("*" in pattern for pattern in include):
        return _list(include)
    if not exclude:
        return f"glob({_list(include)})"
    arguments = f"        {_list(include, 8)},\n        exclude = {_list(exclude, 8)},\n"
    return f"glob(\n{arguments}    )"


def _list(items: Iterable[str], indent: int = 4) -> str:
    quoted = [f'"{item}"' for item in items]
    if len(quoted) < 2:
        return f"[{''.join(quoted)}]"
    space = " " * indent
    return "[\n" + "".join(f"{space}    {item},\n" for item in quoted) + f"{space}]"
