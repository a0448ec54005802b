"""Values in event files of TensorBoard; a duplicate value fails."""

import io
import pathlib

import numpy as np
import tensorflow as tf
from PIL import Image


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
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = tf.make_ndarray(value.tensor)
    return found
