"""Data outside this repository, and backends. Tests that need what is missing are left out."""

import pathlib

import keras
import pytest

from keras_fasterseg.data.camvid import CamVid

# Registers the operations, so that every test file also runs alone.
from keras_fasterseg.spaces.fasterseg import operations  # noqa: F401
from tests.shared import SHARED
from tests.without_tensorflow import needs_more

# Folders in `SHARED`, by the name of their fixture.
FOLDERS = {"camvid": SHARED / "camvid", "full_size_fixtures": SHARED / "fixtures"}


@pytest.fixture(scope="session")
def camvid() -> CamVid:
    """The real data set."""
    return CamVid(FOLDERS["camvid"])


@pytest.fixture(scope="session")
def full_size_fixtures() -> pathlib.Path:
    """The folder of full-size fixtures, the source of `tests/fixtures`."""
    return FOLDERS["full_size_fixtures"]


def pytest_ignore_collect(collection_path: pathlib.Path) -> bool | None:
    # With TensorFlow, nothing is left out: a missing package is an error.
    if keras.backend.backend() == "tensorflow":
        return None
    is_folder = collection_path.is_dir()
    file = collection_path / "conftest.py" if is_folder else collection_path
    has_tests = file.is_file() if is_folder else file.name.endswith("_test.py")
    return True if has_tests and needs_more(file) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    backend = keras.backend.backend()
    missing = {name for name, folder in FOLDERS.items() if not folder.is_dir()}
    without = [
        item
        for item in items
        if missing & {*getattr(item, "fixturenames", ())}
        or any(backend not in each.args for each in item.iter_markers("backends"))
    ]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, folder in FOLDERS.items():
        if not folder.is_dir():
            terminalreporter.write_line(
                f"Tests with the fixture {name} were deselected: {folder} does not exist. "
                "Set KERAS_FASTERSEG_SHARED to the folder that has it."
            )
