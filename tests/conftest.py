"""Data outside this repository. Tests that need it are deselected if it is missing."""

import pathlib

import pytest

from keras_fasterseg.data.camvid import CamVid

# Registers the operations, so that every test file also runs alone.
from keras_fasterseg.spaces.fasterseg import operations  # noqa: F401
from tests.shared import SHARED

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {name for name, folder in FOLDERS.items() if not folder.is_dir()}
    without = [item for item in items if missing & {*getattr(item, "fixturenames", ())}]
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
