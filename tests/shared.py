"""Where the tests find what is not part of this repository: parity fixtures and CamVid."""

import os
import pathlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("KERAS_FASTERSEG_SHARED", ROOT.parent / "shared"))


def shared_path(name: str) -> pathlib.Path:
    """The path of `name` below the shared folder; skips the test where there is none."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set KERAS_FASTERSEG_SHARED to the folder that has it")
    return path


def load_fixture(name: str) -> dict[str, np.ndarray]:
    """All arrays of `fixtures/<name>.npz`, by key."""
    with np.load(shared_path(f"fixtures/{name}.npz")) as file:
        return {key: file[key] for key in file.files}
