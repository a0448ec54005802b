"""BUILD is in step with the tree: read by another reader than its writer, and against grimp."""

import ast
import dataclasses
import os
import pathlib
import sys

import grimp
import pytest

from tests.shared import ROOT
from tests.tools.run_tool import run_tool, sentence
from tools import build_targets

REWRITE = "BUILD is not in step with the tree: run `python -m tools.build_file`"
pytestmark = pytest.mark.skipif(
    "TEST_SRCDIR" in os.environ,
    reason="Bazel gives a test what it declares, and this one is about the whole tree",
)

HOUSE = ("keras_fasterseg", "flags", "tools", "tests")
# Sources that BUILD makes by itself.
MADE = {"run_pytest.py"}


@dataclasses.dataclass(frozen=True)
class Rule:
    kind: str
    attributes: dict

    @property
    def files(self) -> set[str]:
        return set(self.attributes.get("srcs", [])) - MADE

    @property
    def dependencies(self) -> set[str]:
        return {label.removeprefix(":") for label in self.attributes.get("deps", [])}


@pytest.fixture(scope="module")
def rules() -> dict[str, Rule]:
    """All rules of BUILD by name; Starlark's calls and lists are Python's."""
    statements = ast.parse((ROOT / "BUILD").read_text(encoding="utf-8")).body
    calls = [each.value for each in statements if isinstance(each.value, ast.Call)]
    named = {}
    for call in calls:
        attributes = {each.arg: _value(each.value) for each in call.keywords}
        if "name" in attributes:
            assert attributes["name"] not in named
            named[attributes["name"]] = Rule(call.func.id, attributes)
    return named


@pytest.fixture(scope="module")
def owners(rules) -> dict[str, str]:
    """The target of every module."""
    return {_module(file): name for name, rule in rules.items() for file in rule.files}


@pytest.fixture(scope="module")
def imports(owners) -> dict[str, set[str]]:
    """What each target imports, by grimp: targets, and modules from elsewhere."""
    graph = grimp.build_graph(*HOUSE, include_external_packages=True, cache_dir=None)
    imported = {name: set() for name in owners.values()}
    for module, owner in owners.items():
        for each in graph.find_modules_directly_imported_by(module):
            imported[owner].add(owners.get(each, each))
    return imported


def _value(node: ast.expr):
    if isinstance(node, ast.BinOp):
        return _value(node.left) + _value(node.right)
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    assert node.func.id == "glob"
    excluded = [_value(each.value) for each in node.keywords if each.arg == "exclude"]
    return sorted(_globbed(_value(node.args[0])) - _globbed(*excluded))


def _globbed(patterns: list[str] = ()) -> set[str]:
    found = set()
    for pattern in patterns:
        paths = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
        # Bazel 8 refuses a pattern without a file.
        assert paths, f"{pattern} matches nothing. {REWRITE}"
        found |= paths
    return found


def _module(file: str) -> str:
    path = pathlib.PurePosixPath(file).with_suffix("")
    return ".".join(path.parent.parts if path.name == "__init__" else path.parts)


def _reachable(rules, name: str) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        for each in rules[waiting.pop()].dependencies - found:
            found.add(each)
            waiting.append(each)
    return found


def test_is_what_the_generator_writes():
    written = (ROOT / "BUILD").read_text(encoding="utf-8")
    targets = build_targets.find_targets(ROOT)
    assert build_targets.build_file_text(targets) == written, REWRITE


def test_every_file_is_in_one_target(rules):
    files = [file for rule in rules.values() for file in rule.files]
    tree = [path for folder in HOUSE for path in (ROOT / folder).rglob("*.py")]
    assert sorted(files) == sorted(path.relative_to(ROOT).as_posix() for path in tree), REWRITE


def test_presets_are_data(rules):
    for folder, floor in (("keras_fasterseg/spaces/fasterseg", "spaces"), ("flags", "flags")):
        presets = {path for path in (ROOT / folder / "presets").iterdir() if path.is_file()}
        names = {path.relative_to(ROOT).as_posix() for path in presets if path.suffix != ".py"}
        assert set(rules[floor].attributes["data"]) == names, REWRITE


def test_dependencies_exist_and_have_no_cycle(rules):
    for name, rule in rules.items():
        assert rule.dependencies <= rules.keys(), f"{name}: {REWRITE}"
        assert name not in _reachable(rules, name), f"{name} depends on itself"


def test_imports_are_dependencies(rules, imports):
    for name, imported in imports.items():
        covered = {name, *rules[name].dependencies}
        if "keras_fasterseg" in covered:
            covered |= rules["keras_fasterseg"].dependencies
        assert imported & rules.keys() <= covered, f"{name}: {REWRITE}"


def test_dependencies_are_imports(rules, imports):
    for name, imported in imports.items():
        unused = rules[name].dependencies - imported - {"third_party"}
        if name == "keras_fasterseg":
            # The whole library, whatever its `__init__.py` offers.
            unused -= {each for each in rules if each in _floors()}
        if rules[name].kind == "py_binary":
            unused -= {"keras_fasterseg"}
        if rules[name].kind == "py_test":
            # Found by pytest or started by their names.
            unused = {each for each in unused if not each.startswith(("tests/", "tools"))}
        assert not unused, f"{name}: {REWRITE}"


def test_third_party_is_a_dependency_of_who_imports_it(rules, imports):
    for name, imported in imports.items():
        foreign = imported - rules.keys() - sys.stdlib_module_names
        # Every test is run by pytest.
        needed = bool(foreign) or rules[name].kind == "py_test"
        assert ("third_party" in rules[name].dependencies) == needed, f"{name}: {REWRITE}"


def test_library_is_all_floors(rules):
    assert rules["keras_fasterseg"].dependencies == _floors(), REWRITE
    assert "third_party" in _reachable(rules, "keras_fasterseg")


def test_tools_are_binaries(rules):
    programs = [
        path
        for path in (ROOT / "tools").rglob("*.py")
        if "\n    command.run(main" in path.read_text(encoding="utf-8")
    ]
    names = {path.relative_to(ROOT).with_suffix("").as_posix() for path in programs}
    assert "tools/run_all" in names
    assert {name for name, rule in rules.items() if rule.kind == "py_binary"} == names, REWRITE
    # Bazel takes the file of the target's name for its main file.
    for name in names:
        assert rules[name].files == {f"{name}.py"}


def test_tests_run_what_they_own(rules):
    tests = {name: rule for name, rule in rules.items() if rule.kind == "py_test"}
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*_test.py")}
    assert {file for rule in tests.values() for file in rule.files} == found, REWRITE
    for rule in tests.values():
        (arguments,) = rule.attributes["args"]
        option, module, *_ = arguments.split()
        assert option == "--pyargs"
        assert all(_module(file).startswith(module) for file in rule.files)
        assert rule.attributes["main"] in rule.attributes["srcs"]


def test_only_tests_depend_on_tests(rules):
    for name, rule in rules.items():
        if not name.startswith("tests/"):
            assert not {each for each in rule.dependencies if each.startswith("tests/")}


def _floors() -> set[str]:
    library = ROOT / "keras_fasterseg"
    modules = {path.stem for path in library.glob("*.py")} - {"__init__"}
    return modules | {path.parent.name for path in library.glob("*/__init__.py")}


def _write(root: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


SMALL = {
    "pyproject.toml": "",
    "keras_fasterseg/upper/some.json": "{}",
    "keras_fasterseg/upper/__pycache__/two.pyc": "",
    "keras_fasterseg/__init__.py": "from keras_fasterseg.lower import one",
    "keras_fasterseg/lower.py": "import json\nimport numpy",
    "keras_fasterseg/upper/__init__.py": "",
    "keras_fasterseg/upper/two.py": "def late():\n    from keras_fasterseg import lower",
    "flags/__init__.py": "from keras_fasterseg.upper.two import late",
    "tools/__init__.py": "",
    "tools/go.py": 'import keras_fasterseg.lower\nif __name__ == "__main__":\n    pass',
    "tests/__init__.py": "",
    "tests/upper/__init__.py": "",
    "tests/upper/conftest.py": "import keras_fasterseg.upper",
    "tests/upper/two_test.py": "from tests.upper import conftest",
}


def test_small_tree_by_hand(tmp_path):
    targets = build_targets.find_targets(_write(tmp_path, SMALL))
    assert {each.name: (each.rule, each.dependencies) for each in targets} == {
        "lower": ("py_library", ("third_party",)),
        "upper": ("py_library", ("lower",)),
        "keras_fasterseg": ("py_library", ("lower", "upper")),
        "flags": ("py_library", ("upper",)),
        "tools": ("py_library", ()),
        "tools/go": ("py_binary", ("keras_fasterseg",)),
        "tests/support": ("py_library", ()),
        "tests/upper_support": ("py_library", ("upper",)),
        "tests/upper_test": ("py_test", ("tests/support", "tests/upper_support", "third_party")),
    }
    (upper,) = [each for each in targets if each.name == "upper"]
    assert upper.data == ("keras_fasterseg/upper/*.json",)
    assert upper.files(tmp_path) == [
        "keras_fasterseg/upper/__init__.py",
        "keras_fasterseg/upper/two.py",
    ]


def test_refuses_a_relative_import(tmp_path):
    root = _write(tmp_path, {**SMALL, "keras_fasterseg/upper/two.py": "from . import three"})
    with pytest.raises(ValueError, match=r"two\.py:1 is a relative import"):
        build_targets.find_targets(root)


def test_tool_writes_the_file(tmp_path):
    root = _write(tmp_path, SMALL)
    finished = run_tool("build_file", f"--root={root}")
    assert finished.status == 0, finished.stderr
    written = (root / "BUILD").read_text(encoding="utf-8")
    assert written == build_targets.build_file_text(build_targets.find_targets(root))


def test_tool_refuses_another_folder(tmp_path):
    finished = run_tool("build_file", f"--root={tmp_path}")
    assert f"{tmp_path} is no checkout of keras_fasterseg" in sentence(finished)
    assert not list(tmp_path.iterdir())
