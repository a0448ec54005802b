"""A data set whose folder has a file that describes its classes, labels and normalisation."""

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_fasterseg.data.dataset_file import DATASET_FILE, read_dataset_file
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.file_source import FileSource


class DescribedSource(FileSource):
    """Base class that reads `dataset.yaml` into attributes; subclasses find images and labels.

    Raises:
        DataError: `root` is not a folder, or its `dataset.yaml` is missing or wrong.
    """

    # Unknown until a folder is read.
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
        """Gives the splits found on disk their names from `dataset.yaml`.

        Raises:
            DataError: `dataset.yaml` names a split that was not found, or two splits would have
                the same name.
        """
        found = sorted(found)
        names = {on_disk: name for name, on_disk in self._file.splits.items()}
        for on_disk, name in names.items():
            if on_disk not in found:
                raise DataError(
                    f"{self.root / DATASET_FILE}: `splits` maps {name!r} to {on_disk!r}, but the "
                    f"data set has no split {on_disk!r}; it has {', '.join(found)}."
                )
            if name in found and name not in names:
                raise DataError(
                    f"{self.root / DATASET_FILE}: `splits` maps {name!r} to {on_disk!r}, but "
                    f"another split on disk is called {name!r}; map that one to another name too."
                )
        self._on_disk = {names.get(on_disk, on_disk): on_disk for on_disk in found}
