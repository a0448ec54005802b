"""The index of a converted data set: its classes, its shards and their records."""

import dataclasses
import pathlib
import reprlib
from collections.abc import Callable
from typing import Any, TypeVar

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import IGNORE_LABEL, NOT_ALLOWED
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.image_normalization import check_normalization

INDEX = "index.json"
UNFINISHED = "unfinished.json"
FORMAT = "keras_fasterseg shards"
PNG = "png"
RAW = "raw"
ENCODINGS = (PNG, RAW)
# A TFRecord file stores the length of a record (8 bytes) and the length's checksum (4) before the
# record, and the record's checksum (4) after it.
BYTES_BEFORE = 12
BYTES_AROUND = 16

# Increased whenever the format of the index or of records changes.
_VERSION = 1

# Limits of file sizes and of the sides of a PNG image.
_HIGHEST = 2**63 - 1
_LONGEST_SIDE = 2**31 - 1

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Record:
    """Position, size and checksum of a sample in its shard.

    Attributes:
        name: Path of the image file, relative to the folder that was converted.
        offset: Start of the record's frame in the shard, in bytes.
        size: Size of the record itself, without its frame, in bytes.
        crc32: Checksum of the record, computed by `zlib.crc32`.
        height: Height of image and label in pixels.
        width: Width of image and label in pixels.
    """

    name: str
    offset: int
    size: int
    crc32: int
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class Shard:
    """A TFRecord file of the data set.

    Attributes:
        file: File name in the data set's folder.
        size: Size in bytes.
        sha256: SHA-256 of the file.
        inputs: Digest of the names and sizes of the files that it was made from.
        records: Its records, in order.
    """

    file: str
    size: int
    sha256: str
    inputs: str
    records: tuple[Record, ...]


@dataclasses.dataclass(frozen=True)
class ShardIndex:
    """Everything known about a converted data set without opening a shard.

    Attributes:
        dataset: The original data set's name in `load_source`.
        name: The original data set's own name.
        encoding: Storage of the pixels, one of `ENCODINGS`.
        downsample: Downsampling factor of the images.
        shard_mb: A shard is closed once it holds at least this many megabytes (1,000,000 bytes).
        class_names: Names of the classes, by train id.
        palette: RGB of each class, from 0 to 255.
        ignore_label: Train id of ignored pixels.
        mean: Mean of each channel for values in [0, 1].
        std: Standard deviation of each channel for values in [0, 1].
        splits: The shards of each split, in order.
    """

    dataset: str
    name: str
    encoding: str
    downsample: int
    shard_mb: float
    class_names: tuple[str, ...]
    palette: tuple[tuple[int, ...], ...]
    ignore_label: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    splits: dict[str, tuple[Shard, ...]]

    def save(self, path: pathlib.Path) -> None:
        """Writes the index to `path` as JSON, atomically."""
        write_json(path, {"format": FORMAT, "version": _VERSION, **dataclasses.asdict(self)})


def is_index(path: pathlib.Path) -> bool:
    """True if `path` is an index, even a damaged one, and not a file of another program."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return FORMAT.encode() in file.read(100)


def read_index(path: pathlib.Path) -> ShardIndex:
    """The index in `path`.

    Raises:
        ValueError: The file is not JSON.
        DataError: It is not an index, has another version, or is not valid; the message says why.
    """
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DataError(f"{path} is not the index of a converted data set.")
    if value.get("version") != _VERSION:
        raise DataError(
            f"{path} has version {value.get('version')!r}, but this program reads version "
            f"{_VERSION}; convert the data set again."
        )
    try:
        return _index(value)
    except ValueError as error:
        raise DataError(
            f"{path} is not a valid index: {str(error).rstrip('.')}; convert the data set again."
        ) from error


def _index(value: dict[str, Any]) -> ShardIndex:
    names = _items(value, "class_names", _text)
    colors = _items(value, "palette", _color)
    mean, std = (_items(value, key, _number) for key in ("mean", "std"))
    check_normalization(mean, std)
    if not 0 < len(names) <= NOT_ALLOWED or len(colors) != len(names):
        raise ValueError(
            f"`class_names` and `palette` must both have 1 to {NOT_ALLOWED} classes, received "
            f"{len(names)} names and {len(colors)} colours"
        )
    encoding, ignore_label = (_get(value, key) for key in ("encoding", "ignore_label"))
    if encoding not in ENCODINGS or ignore_label != IGNORE_LABEL:
        raise ValueError(
            f"`encoding` must be one of {', '.join(ENCODINGS)} and `ignore_label` {IGNORE_LABEL}, "
            f"received {encoding!r} and {ignore_label!r}"
        )
    splits = _get(value, "splits")
    if not isinstance(splits, dict):
        raise ValueError(f"`splits` must be a mapping, received {reprlib.repr(splits)}")
    return ShardIndex(
        dataset=_text(_get(value, "dataset")),
        name=_text(_get(value, "name")),
        encoding=encoding,
        downsample=_count(_get(value, "downsample")),
        shard_mb=_number(_get(value, "shard_mb")),
        class_names=names,
        palette=colors,
        ignore_label=ignore_label,
        mean=mean,
        std=std,
        splits={split: _items(splits, split, _shard) for split in splits},
    )


def _shard(value: Any) -> Shard:
    shard = Shard(
        file=_path(_get(value, "file")),
        size=_count(_get(value, "size")),
        sha256=_text(_get(value, "sha256")),
        inputs=_text(_get(value, "inputs")),
        records=_items(value, "records", _record),
    )
    if "/" in shard.file:
        raise ValueError(f"a shard must be in the folder of the index, received {shard.file!r}")
    end = 0
    for record in shard.records:
        if record.offset != end:
            raise ValueError(
                f"the record {record.name!r} of {shard.file} must begin at byte {end}, received "
                f"{record.offset}"
            )
        end += record.size + BYTES_AROUND
    if end != shard.size:
        raise ValueError(
            f"the records of {shard.file} have {end} bytes, but the shard has {shard.size}"
        )
    return shard


def _record(value: Any) -> Record:
    numbers = ("offset", "size", "crc32", "height", "width")
    record = Record(
        _path(_get(value, "name")), **{key: _count(_get(value, key)) for key in numbers}
    )
    if not (0 < record.height <= _LONGEST_SIDE and 0 < record.width <= _LONGEST_SIDE):
        raise ValueError(
            f"the sides of the record {record.name!r} must be 1 to {_LONGEST_SIDE} pixels, "
            f"received {record.height} x {record.width}"
        )
    return record


def _get(value: Any, key: str) -> Any:
    if not isinstance(value, dict) or key not in value:
        raise ValueError(f"{key!r} is missing")
    return value[key]


def _items(value: Any, key: str, read: Callable[[Any], Item]) -> tuple[Item, ...]:
    items = _get(value, key)
    if not isinstance(items, list):
        raise ValueError(f"{key!r} must be a list, received {reprlib.repr(items)}")
    return tuple(read(item) for item in items)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a non-empty string, received {reprlib.repr(value)}")
    return value


def _path(value: Any) -> str:
    path = pathlib.PurePath(_text(value))
    if path.is_absolute() or ".." in path.parts or "\\" in value or "\0" in value:
        raise ValueError(f"the path {value!r} must stay inside the folder")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _HIGHEST:
        raise ValueError(
            f"expected a whole number from 0 to {_HIGHEST}, received {reprlib.repr(value)}"
        )
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= _HIGHEST:
        raise ValueError(f"expected a number of at most {_HIGHEST}, received {reprlib.repr(value)}")
    return value


def _color(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != 3 or max(map(_count, value)) > 255:
        raise ValueError(
            f"a colour must be three numbers from 0 to 255, received {reprlib.repr(value)}"
        )
    return tuple(value)
