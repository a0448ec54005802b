"""Test files that cannot run where Keras runs on JAX or PyTorch, without TensorFlow.

Backend switch: PyTorch trains no supernets.
"""

import ast
import functools
import importlib.util
import pathlib
import sys

import keras

from tests.shared import ROOT

_OWN = ("keras_fasterseg", "tests", "tools", "flags")

NEED_TENSORFLOW = {
    "tests/conformance/one_role_run_test.py": "runs every stage, which exports a SavedModel",
    "tests/export/graph_file_test.py": "graphs that TensorFlow traces",
    "tests/jobs/checks_test.py": "checks every stage, which exports a SavedModel",
    "tests/tools/quiet_import_test.py": "the import of TensorFlow",
    "tests/run/keras_tensorboard_test.py": "Keras's own callback for TensorBoard",
    "tests/jobs/export_test.py": "all formats; most are written by TensorFlow",
}
"""Files whose imports do not show that they need TensorFlow, each with the reason."""

SEARCH = (
    "tests/backends/search_test.py",
    "tests/conformance/resume_test.py",
    "tests/conformance/search_test.py",
    "tests/jobs/search_pictures_test.py",
    "tests/jobs/search_test.py",
    "tests/run/search_report_test.py",
    "tests/search",
    "tests/spaces/fasterseg/inheritance_test.py",
    "tests/spaces/fasterseg/latency_costs_test.py",
    "tests/spaces/fasterseg/supernet_decoder_test.py",
    "tests/spaces/autortnet/penalty_test.py",
    "tests/spaces/autortnet/supernet_test.py",
    "tests/spaces/gas/penalty_test.py",
    "tests/spaces/gas/supernet_test.py",
    "tests/spaces/joint/expected_cost_test.py",
    "tests/spaces/joint/resume_test.py",
)
"""Files and folders that make or train supernets, which PyTorch does not."""


def needs_more(path: pathlib.Path) -> bool:
    """True if a test file needs TensorFlow, another package that is missing here or a search.

    A file needs what it imports at the top, directly or through modules of this repository.
    """
    name = path.relative_to(ROOT)
    if keras.backend.backend() == "torch" and any(map(name.is_relative_to, SEARCH)):
        return True
    return name.as_posix() in NEED_TENSORFLOW or bool(missing_packages(path))


def missing_packages(path: pathlib.Path) -> set[str]:
    """Packages that a file imports at the top, directly or not, and that are not installed."""
    found, seen, pending = set(), set(), [path, *_conftests(path)]
    while pending:
        file = pending.pop()
        if file in seen:
            continue
        seen.add(file)
        for module in _imports(file):
            package = module.partition(".")[0]
            if package in _OWN:
                pending += _files(module)
            elif not _is_installed(package):
                found.add(package)
    return found


@functools.cache
def _imports(file: pathlib.Path) -> tuple[str, ...]:
    """Names of imported modules, and of what is imported from them, which may be modules too."""
    names = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _files(module: str) -> list[pathlib.Path]:
    """The file of a module, and the `__init__.py` of the packages above it."""
    parts = module.split(".")
    folders = [ROOT.joinpath(*parts[:count], "__init__.py") for count in range(1, len(parts) + 1)]
    files = [*folders, ROOT.joinpath(*parts).with_suffix(".py")]
    return [file for file in files if file.is_file()]


def _conftests(path: pathlib.Path) -> list[pathlib.Path]:
    folders = [folder for folder in path.parents if folder.is_relative_to(ROOT / "tests")]
    return [folder / "conftest.py" for folder in folders if (folder / "conftest.py").is_file()]


@functools.cache
def _is_installed(package: str) -> bool:
    return package in sys.stdlib_module_names or importlib.util.find_spec(package) is not None
