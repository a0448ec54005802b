"""Values in event files of TensorBoard; a duplicate value fails."""

import io
import pathlib

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.util.tensor_util import make_ndarray


def scalars(folder: pathlib.Path) -> dict[tuple[str, int], float]:
    """Scalars by tag and step."""
    return {key: float(value) for key, value in _values(folder).items()}


def images(folder: pathlib.Path) -> dict[tuple[str, int], np.ndarray]:
    """Images by tag and step, uint8 RGB."""
    found = {}
    for key, value in _values(folder).items():
        # Width, height, then the PNGs.
        (content,) = value[2:]
        found[key] = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return found


def _values(folder: pathlib.Path) -> dict[tuple[str, int], np.ndarray]:
    found = {}
    for path in folder.glob("events.out.tfevents.*"):
        for event in event_file_loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = make_ndarray(value.tensor)
    return found
