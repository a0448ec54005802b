"""A data set converted to TFRecord shards, read record by record in any order."""

import dataclasses
import hashlib
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import check_megapixels, downsampled
from keras_fasterseg.data.record_format import decode_label, decode_record
from keras_fasterseg.data.shard_index import (
    BYTES_BEFORE,
    INDEX,
    UNFINISHED,
    Record,
    Shard,
    is_index,
    read_index,
)
from keras_fasterseg.data.source import (
    NOT_ALLOWED,
    Sample,
    SegmentationSource,
    make_label_lookup,
)
from keras_fasterseg.files import sha256
from keras_fasterseg.progress import progress_bar

Item = TypeVar("Item")

REMEDY = "convert the data set again (intact shards are kept)"


@dataclasses.dataclass(frozen=True)
class StoredSample(Sample):
    """A sample in a shard; `image` and `label` are SHARD/NAME, for messages only.

    Attributes:
        shard: The shard's file.
        record: Position of the sample in the shard.
    """

    shard: pathlib.Path
    record: Record

    def check_label(self) -> None:
        """Does nothing: a record always has a label."""


class ConvertedDataset(SegmentationSource):
    """A self-contained data set made by `convert_dataset`.

    It has the splits, sample order and pixels of the original data set, so training gets the same
    batches from either. Opening it compares the sizes of all shards with the index, reading a
    record compares its checksum, and `verify` compares the digests of the shards.

    Raises:
        DataError: `root` is not a folder, the conversion is incomplete, the index is not valid,
            or a shard is missing or has another size.
    """

    name = "converted"

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        if not is_index(self.root / INDEX) and is_index(self.root / UNFINISHED):
            raise DataError(
                f"The conversion into {self.root} is incomplete; run the same command again to "
                "resume it."
            )
        self.index = read_index(self.root / INDEX)
        self.name = self.index.name
        self.class_names = self.index.class_names
        self.palette = np.array(self.index.palette, np.uint8)
        self.ignore_label = self.index.ignore_label
        self.mean, self.std = self.index.mean, self.index.std
        train_ids = (*range(self.num_classes), self.ignore_label)
        self.label_lookup = make_label_lookup({train_id: train_id for train_id in train_ids})
        for shard in self._shards():
            check_size(self.root / shard.file, shard)

    @property
    def split_names(self) -> tuple[str, ...]:
        return tuple(self.index.splits)

    def definition(self) -> dict[str, Any]:
        digests = [shard.sha256 for shard in self._shards()]
        return {"shards": hashlib.sha256(" ".join(digests).encode()).hexdigest()}

    def verify(self, *, progress: bool = True) -> int:
        """Reads every shard and compares its digest.

        Returns:
            The number of shards, all of them unchanged.

        Raises:
            DataError: A shard has changed; the message names it.
        """
        shards = list(self._shards())
        for shard in progress_bar(shards, "verifying", unit="shard", show=progress):
            path = self.root / shard.file
            if sha256(path) != shard.sha256:
                raise DataError(
                    f"The shard {path} has changed: its SHA-256 differs from the one in {INDEX}; "
                    f"{REMEDY}."
                )
        return len(shards)

    # Type checkers expect these methods to accept any sample; a source only reads its own.
    def read(self, sample: StoredSample, *, downsample: int = 1) -> tuple[np.ndarray, np.ndarray]:  # pyright: ignore[reportIncompatibleMethodOverride]
        image, stored = self._decode(sample, decode_record)
        train_ids = self._train_ids(sample, stored)
        if downsample == 1:
            return image, train_ids
        return downsampled(Image.fromarray(image), train_ids, downsample, sample.image)

    def read_label(self, sample: StoredSample) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._train_ids(sample, self._decode(sample, decode_label))

    def _decode(self, sample: StoredSample, decode: Callable[[bytes, int, int], Item]) -> Item:
        record = sample.record
        check_megapixels(sample.image, record.height, record.width, self.max_megapixels)
        try:
            return decode(_read(sample), record.height, record.width)
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"The shard {sample.shard} does not match its index: the record {record.name} is "
                f"faulty ({error}); {REMEDY}."
            ) from error

    def _train_ids(self, sample: StoredSample, stored: np.ndarray) -> np.ndarray:
        """The stored train ids, mapped to the current order of the classes."""
        train_ids = np.take(self.label_lookup, stored)
        unknown = train_ids == NOT_ALLOWED
        if np.any(unknown):
            raise DataError(
                f"The shard {sample.shard} does not match its index: the label of the record "
                f"{sample.record.name} holds the id {stored[unknown][0]}, but there are "
                f"{self.num_classes} classes; {REMEDY}."
            )
        return train_ids

    def read_size(self, sample: StoredSample) -> tuple[int, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return sample.record.height, sample.record.width

    def files(self, split: str) -> dict[str, pathlib.Path]:
        shards = [shard for part in self.parts(split) for shard in self.index.splits[part]]
        return {shard.file: self.root / shard.file for shard in shards}

    def _shards(self) -> Iterator[Shard]:
        return (shard for shards in self.index.splits.values() for shard in shards)

    def _find_samples(self, split: str) -> Iterator[StoredSample]:
        for shard in self.index.splits[split]:
            path = self.root / shard.file
            for record in shard.records:
                # Sorting by these names gives the order of the original files.
                name = path / record.name
                yield StoredSample(name, name, path, record)


def check_size(path: pathlib.Path, shard: Shard) -> None:
    """Raises `DataError` unless `path` is a file of the size that `shard` records."""
    if not path.is_file():
        raise DataError(f"The shard {path} is missing; {REMEDY}.")
    size = path.stat().st_size
    if size != shard.size:
        raise DataError(
            f"The shard {path} has {size} bytes instead of {shard.size}: it was truncated or "
            f"changed; {REMEDY}."
        )


def _read(sample: StoredSample) -> bytes:
    record = sample.record
    try:
        with open(sample.shard, "rb") as file:
            file.seek(record.offset + BYTES_BEFORE)
            data = file.read(record.size)
    except OSError as error:
        raise DataError(f"The shard {sample.shard} cannot be read ({error}); {REMEDY}.") from error
    if zlib.crc32(data) != record.crc32:
        raise DataError(
            f"The shard {sample.shard} is damaged: the checksum of the record {record.name} "
            f"differs from the one in {INDEX}; {REMEDY}."
        )
    return data
