"""Writes samples as shards: TFRecord files of limited size, each written atomically."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import pathlib
import zlib
from collections.abc import Iterator, Sequence

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.record_file import write_record
from keras_fasterseg.data.record_format import encode_record
from keras_fasterseg.data.shard_index import BYTES_AROUND, Record, Shard
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.files import atomic_path, sha256
from keras_fasterseg.progress import progress_bar

# Number of images that threads encode at a time and that wait in memory for writing.
_IMAGES_AT_A_TIME = 16


def write_shards(
    source: SegmentationSource,
    split: str,
    samples: Sequence[Sample],
    folder: pathlib.Path,
    *,
    encoding: str,
    downsample: int,
    shard_size: float,
    first_number: int = 0,
    progress: bool = True,
) -> Iterator[Shard]:
    """Writes `samples` as files `SPLIT-NUMBER.tfrecord`, one per iteration.

    Args:
        source: The data set of the samples.
        split: Prefix of the file names.
        samples: The samples, in writing order.
        folder: The folder to write to.
        encoding: Storage of the pixels, see `record_format`.
        downsample: Images and labels are reduced by this factor.
        shard_size: A shard is closed once it holds at least this many bytes.
        first_number: Number of the first shard.
        progress: Whether to show a progress bar.

    Raises:
        DataError: A sample is faulty.
        OSError: A file cannot be written, for example because the disk is full.
    """
    bar = progress_bar(
        _records(source, samples, encoding, downsample),
        f"converting {split}",
        unit="image",
        total=len(samples),
        show=progress,
    )
    number, written = first_number, 0
    # Closing stops the encoding after a fault and ends the bar before the error message.
    # The iterator of a bar is a generator, so it can be closed.
    with contextlib.closing(iter(bar)) as records:  # pyright: ignore[reportArgumentType]
        while written < len(samples):
            path = folder / f"{split}-{number:05d}.tfrecord"
            shard = _write_shard(path, records, shard_size)
            count = len(shard.records)
            inputs = inputs_digest(source, samples[written : written + count])
            yield dataclasses.replace(shard, inputs=inputs)
            number, written = number + 1, written + count


def inputs_digest(source: SegmentationSource, samples: Sequence[Sample]) -> str:
    """SHA-256 of the names and sizes of the files of `samples`, as recorded for a shard."""
    digest = hashlib.sha256()
    for path in (path for sample in samples for path in (sample.image, sample.label)):
        name = path.relative_to(source.root).as_posix()
        digest.update(f"{name}\t{path.stat().st_size}\n".encode())
    return digest.hexdigest()


def _records(
    source: SegmentationSource, samples: Sequence[Sample], encoding: str, downsample: int
) -> Iterator[tuple[Record, bytes]]:
    """The records of `samples` in their order, each with offset 0."""

    def encode(sample: Sample) -> tuple[Record, bytes]:
        image, train_ids = source.read(sample, downsample=downsample)
        name = sample.image.relative_to(source.root).as_posix()
        data = encode_record(image, train_ids, name, encoding)
        return Record(name, 0, len(data), zlib.crc32(data), *train_ids.shape), data

    with concurrent.futures.ThreadPoolExecutor(available_cores().reading_threads) as threads:
        for start in range(0, len(samples), _IMAGES_AT_A_TIME):
            yield from threads.map(encode, samples[start : start + _IMAGES_AT_A_TIME])


def _write_shard(
    path: pathlib.Path, records: Iterator[tuple[Record, bytes]], shard_size: float
) -> Shard:
    """Writes a shard of the next `records`, until it is full or no records are left."""
    written: list[Record] = []
    size = 0
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            for record, data in records:
                write_record(file, data)
                written.append(dataclasses.replace(record, offset=size))
                size += len(data) + BYTES_AROUND
                if size >= shard_size:
                    break
        digest = sha256(temporary)
    return Shard(path.name, size, digest, "", tuple(written))
