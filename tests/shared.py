"""Paths and loading of fixtures, and of data outside this repository."""

import os
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
SHARED = pathlib.Path(os.environ.get("KERAS_FASTERSEG_SHARED", ROOT.parent / "shared"))


def load_fixture(name: str, folder: pathlib.Path = FIXTURES) -> dict[str, np.ndarray]:
    """All arrays of `<name>.npz`, by key."""
    with np.load(folder / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def assert_known(actual, expected: np.ndarray, **tolerances) -> None:
    """`assert_allclose` where `expected` is not NaN; in fixtures, NaN replaces removed numbers."""
    known = ~np.isnan(expected)
    assert np.shape(actual) == expected.shape
    assert known.any()
    np.testing.assert_allclose(np.asarray(actual)[known], expected[known], **tolerances)
