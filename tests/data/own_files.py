"""Files of data sets of one's own, as tests of several sources write them."""

import pathlib
import shutil

import numpy as np
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.data.source import Sample, SegmentationSource

# CamVid's classes in SegNet's ids, 11 for void.
CAMVID_FILE = f"classes: {list(CamVid.class_names)}\nignore_index: 11\n"
LABEL = np.array([[0, 1], [1, 0]], np.uint8)


def write_pair(image: pathlib.Path, label: pathlib.Path | None, ids: np.ndarray = LABEL) -> None:
    """A black image and its label; both in folders that are made."""
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", ids.shape[::-1]).save(image)
    if label is not None:
        label.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(ids).save(label)


def copy_pair(sample: Sample, image: pathlib.Path, label: pathlib.Path) -> None:
    for source, target in ((sample.image, image), (sample.label, label)):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def assert_same_arrays(source: SegmentationSource, split: str, camvid: CamVid) -> None:
    """`split` holds what `camvid` reads of its first two images."""
    expected = camvid.samples("train")[:2]
    samples = source.samples(split)
    assert len(samples) == len(expected) == 2
    for own, original in zip(samples, expected, strict=True):
        for array, other in zip(
            read_sample(own, source), read_sample(original, camvid), strict=True
        ):
            np.testing.assert_array_equal(array, other)
