"""Your own data set, described by CSV tables of image and label files and `dataset.yaml`."""

import csv
import os
import pathlib

from keras_fasterseg.data.described_source import DescribedSource
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_listing import IMAGE_SUFFIXES, LABEL_SUFFIXES
from keras_fasterseg.data.source import Sample

_HEADER = ["image", "label"]


class CsvList(DescribedSource):
    """Images and labels listed in `SPLIT.csv`, anywhere below `root`.

    The first row is `image,label`. Every other row names an image file and its label file, with
    paths relative to `root` or absolute paths inside it.

    Raises:
        DataError: `root` is not a folder, has no table, or its `dataset.yaml` is missing or wrong.
    """

    name = "csv"
    has_tables = True

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        found = [path.stem for path in self.root.glob("[!.]*.csv")]
        if not found:
            raise DataError(
                f"{self.root} has no CSV table of a split: expected files such as "
                f"{self.root / 'train.csv'} with the header image,label."
            )
        self._name_splits(found)

    def _find_samples(self, split: str) -> list[Sample]:
        path = self.root / f"{self._on_disk[split]}.csv"
        samples: dict[pathlib.Path, Sample] = {}
        for number, row in _read_rows(path):
            place = f"{path}, line {number}"
            if len(row) != len(_HEADER):
                raise DataError(
                    f"{place}: expected two columns, an image and its label. Received: {row}"
                )
            image = self._below_root(place, "image", row[0], IMAGE_SUFFIXES)
            # Lossy compression would change ids.
            label = self._below_root(place, "label", row[1], LABEL_SUFFIXES)
            if image in samples:
                raise DataError(f"{place}: the image {row[0]} is already listed; list it once.")
            samples[image] = Sample(image, label)
        return list(samples.values())

    def _below_root(
        self, place: str, column: str, value: str, suffixes: tuple[str, ...]
    ) -> pathlib.Path:
        path = os.path.normpath(value)
        if os.path.isabs(path):
            # The table may spell the folder differently from the command line.
            roots = (os.path.abspath(self.root), os.path.realpath(self.root))
            inside = [root for root in roots if path.startswith(os.path.join(root, ""))]
            path = os.path.relpath(path, inside[0]) if inside else os.pardir
        if path.split(os.sep)[0] == os.pardir:
            raise DataError(
                f"{place}: the {column} {value} is outside {self.root}; name files inside it."
            )
        if not path.lower().endswith(suffixes):
            raise DataError(
                f"{place}: the {column} must be a file that ends in {' or '.join(suffixes)}. "
                f"Received: {value!r}"
            )
        return self.root / path


def _read_rows(path: pathlib.Path) -> list[tuple[int, list[str]]]:
    """The rows below the header, each with its line number; empty rows are skipped."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            rows = [
                (reader.line_num, [field.strip() for field in row]) for row in reader if any(row)
            ]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is not a comma-separated UTF-8 table ({error}); save it as one."
        ) from error
    if [field.strip() for field in header] != _HEADER:
        raise DataError(
            f"{path}: the first row must be {','.join(_HEADER)}. Received: {','.join(header)!r}"
        )
    return rows
