"""A data set whose classes, labels and normalisation a file in its folder describes."""

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_fasterseg.data.dataset_file import DATASET_FILE, read_dataset_file
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.file_source import FileSource


class DescribedSource(FileSource):
    """What `dataset.yaml` says, as attributes; where images and labels lie is for who derives.

    Raises:
        DataError: `root` is no folder or has no `dataset.yaml`, or something in it is wrong.
    """

    # Unknown without a folder.
    class_names: tuple[str, ...] = ()
    palette = np.zeros((0, 3), np.uint8)

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        self._file = read_dataset_file(self.root / DATASET_FILE)
        self.name = self._file.name
        self.class_names = self._file.class_names
        self.palette = self._file.palette
        self.label_lookup = self._file.label_lookup
        self.label_colors = self._file.label_colors
        self.mean = self._file.mean
        self.std = self._file.std
        self._on_disk: dict[str, str] = {}

    @property
    def split_names(self) -> tuple[str, ...]:
        return tuple(self._on_disk)

    def definition(self) -> dict[str, Any]:
        return self._file.definition()

    def _name_splits(self, found: Iterable[str]) -> None:
        """Calls the splits that were found on disk as `dataset.yaml` does.

        Raises:
            DataError: It names one that was not found, or two would have one name.
        """
        found = sorted(found)
        names = {on_disk: name for name, on_disk in self._file.splits.items()}
        for on_disk, name in names.items():
            if on_disk not in found:
                raise DataError(
                    f"{self.root / DATASET_FILE}: `splits` calls {on_disk!r} {name!r}, but there "
                    f"is no such split; there are {', '.join(found)}."
                )
            if name in found and name not in names:
                raise DataError(
                    f"{self.root / DATASET_FILE}: `splits` calls {on_disk!r} {name!r}, and so "
                    "another split is called already; name that one too."
                )
        self._on_disk = {names.get(on_disk, on_disk): on_disk for on_disk in found}
