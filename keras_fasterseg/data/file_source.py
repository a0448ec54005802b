"""Base class of data sets made of image files and label files."""

import contextlib
import pathlib

import numpy as np

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_label, read_sample, read_size
from keras_fasterseg.data.image_listing import others_of_a_name
from keras_fasterseg.data.source import Sample, SegmentationSource


class FileSource(SegmentationSource):
    """A data set with a separate file for every image and every label.

    Attributes:
        has_tables: True if tables list the files; otherwise they are found by their names.
    """

    has_files = True
    has_tables: bool = False

    def read(self, sample: Sample, *, downsample: int = 1) -> tuple[np.ndarray, np.ndarray]:
        return read_sample(sample, self, downsample=downsample)

    def read_label(self, sample: Sample) -> np.ndarray:
        return read_label(sample.label, self)

    def read_size(self, sample: Sample) -> tuple[int, int]:
        return read_size(sample.image)

    def files(self, split: str) -> dict[str, pathlib.Path]:
        paths = [path for each in self.samples(split) for path in (each.image, each.label)]
        return {
            (
                path.relative_to(self.root) if path.is_relative_to(self.root) else path
            ).as_posix(): path
            for path in paths
        }

    def _others_of_a_name(self, split: str) -> list[pathlib.Path]:
        if self.has_tables:
            return []
        samples: list[Sample] = []
        # Reading the samples reports their errors.
        with contextlib.suppress(DataError):
            for part in self.parts(split):
                samples += self._find_samples(part)
        return others_of_a_name(path for each in samples for path in (each.image, each.label))
