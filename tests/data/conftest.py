"""Small data sets that the tests of `data` share."""

import pathlib
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.synthetic_streets import SyntheticStreets, generate

MakeCamVid = Callable[..., CamVid]


@pytest.fixture
def make_camvid(tmp_path: pathlib.Path) -> MakeCamVid:
    """Writes `(image, label)` arrays as the split "train" of a CamVid in SegNet's layout."""

    def make(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> CamVid:
        for folder in ("train", "trainannot"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for number, (image, label) in enumerate(pairs):
            Image.fromarray(image).save(tmp_path / "train" / f"{number:03d}.png")
            Image.fromarray(label).save(tmp_path / "trainannot" / f"{number:03d}.png")
        return CamVid(tmp_path)

    return make


@pytest.fixture(scope="session")
def streets(tmp_path_factory: pytest.TempPathFactory) -> SyntheticStreets:
    """40 and 2 synthetic streets of 64 x 128 pixels."""
    root = tmp_path_factory.mktemp("streets")
    return generate(root, num_train=40, num_val=2, height=64, width=128, seed=3, progress=False)
