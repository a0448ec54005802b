"""The wheel contains the complete tree and nothing else; `make wheel` tests it in isolation."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import keras_fasterseg
from tests.shared import ROOT

SOURCES = ("keras_fasterseg", "flags", "tools")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
pytestmark = pytest.mark.skipif(
    "TEST_SRCDIR" in os.environ,
    reason="Bazel gives a test what it declares, and this one is about the whole tree",
)


def copy_tree(target: pathlib.Path) -> None:
    for folder in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, target / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(ROOT / file, target / file)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source folder of the wheel, and the folder with its unpacked content."""
    root = tmp_path_factory.mktemp("wheel")
    source, unpacked = root / "source", root / "unpacked"
    source.mkdir()
    copy_tree(source)
    pip = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps"]
    finished = subprocess.run(
        [*pip, "--wheel-dir", str(root / "dist"), str(source)], capture_output=True, text=True
    )
    if "No matching distribution found for setuptools" in finished.stderr + finished.stdout:
        pytest.skip("no package index within reach, from which the build takes setuptools")
    assert finished.returncode == 0, finished.stderr
    assert "Package would be ignored" not in finished.stdout + finished.stderr
    (wheel,) = (root / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(unpacked)
    return source, unpacked


def test_it_holds_every_file_of_the_tree_once(built):
    source, unpacked = built
    expected = set()
    for folder in SOURCES:
        parent = "" if folder == "keras_fasterseg" else "keras_fasterseg_programs/"
        expected |= {
            parent + path.relative_to(source).as_posix()
            for path in (source / folder).rglob("*")
            if "maintenance" not in path.parts and path.suffix in (".py", ".json", ".flags")
        }
    metadata = f"keras_fasterseg-{keras_fasterseg.__version__}.dist-info"
    received = {
        path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()
    }
    assert {name for name in received if not name.startswith(f"{metadata}/")} == expected
    assert f"{metadata}/METADATA" in received


def test_its_command_runs_the_tools_away_from_the_checkout(built, tmp_path):
    _, unpacked = built
    (metadata,) = unpacked.glob("*.dist-info")
    points = (metadata / "entry_points.txt").read_text(encoding="utf-8").split()
    module, _, function = points[points.index("keras_fasterseg") + 2].partition(":")
    code = (
        f"import sys; sys.path.insert(0, sys.argv.pop(1)); import {module}; {module}.{function}()"
    )
    arguments = ["describe", "--genotype=fasterseg_student", "--json"]
    finished = subprocess.run(
        [sys.executable, "-I", "-c", code, str(unpacked), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr
    assert '"parameters_inference": 3421875' in finished.stdout
