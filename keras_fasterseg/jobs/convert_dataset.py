"""Job: convert a data set to TFRecord shards, which are read in its place."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Sequence

from absl import logging

from keras_fasterseg.data.converted_dataset import ConvertedDataset, check_size
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.label_encodings import check_label_encodings
from keras_fasterseg.data.shard_index import (
    INDEX,
    UNFINISHED,
    Shard,
    ShardIndex,
    read_index,
)
from keras_fasterseg.data.shard_writer import inputs_digest, write_shards
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.files import PathLike, is_partial, remove_partial, sha256
from keras_fasterseg.run.dataset_warnings import warn_of_files
from keras_fasterseg.setting import require
from keras_fasterseg.settings.conversion import ConversionSettings

_BYTES_IN_MB = 1e6
_REMEDY = "choose another folder or remove this one"


def convert_dataset(
    source: SegmentationSource,
    dataset: str,
    target: PathLike,
    settings: ConversionSettings,
    progress: bool = True,
) -> ConvertedDataset:
    """Writes the splits of `source` as shards to `target`, or only the missing shards.

    The same files and settings give the same shards, byte by byte. Each shard is written under a
    temporary name and renamed. The index is written last; until then another file in `target`
    records the finished shards. An interrupted conversion resumes after the last shard that
    matches its digest. A finished one is verified and repaired in the same way.

    Args:
        source: The data set to convert, stored as image files.
        dataset: Its name for `load_source`.
        target: Folder to write to: new, empty, or with a conversion of the same files and settings.
        settings: Splits and storage format.
        progress: Whether to show progress bars.

    Returns:
        The converted data set.

    Raises:
        ValueError: `source` is already converted, or lacks a split.
        DataError: A file of `source` is faulty, or `target` has other contents.
        OSError: `target` cannot be written.
        OSError: The disk is full.
    """
    require(
        not isinstance(source, ConvertedDataset),
        f"{source.root} is already a converted data set; give the folder of its original files.",
    )
    splits = [split.strip() for split in settings.splits.split(",")]
    require(
        len(set(splits)) == len(splits),
        f"Every split must be named once. Received: splits={settings.splits}",
    )
    samples = {split: source.samples(split) for split in splits}
    check_label_encodings(source, itertools.chain.from_iterable(samples.values()))
    warn_of_files(source, splits)
    plan = _plan(source, dataset, splits, settings)
    shard_size = settings.shard_mb * _BYTES_IN_MB
    target = pathlib.Path(target)
    known = _begun(target, plan)
    if known is None:
        plan.save(target / UNFINISHED)
        known = plan
    kept = {
        split: _made_of(source, samples[split], known.splits[split], shard_size) for split in splits
    }
    if (target / INDEX).is_file() and (
        kept != known.splits or any(_count(kept[split]) != len(samples[split]) for split in splits)
    ):
        raise DataError(f"{target} holds a conversion of other files; {_REMEDY}.")
    finished: dict[str, tuple[Shard, ...]] = dict(plan.splits)
    for split in splits:
        whole = tuple(itertools.takewhile(lambda shard: _is_whole(target, shard), kept[split]))
        if whole:
            logging.info("Split %s: %d shards are already finished.", split, len(whole))
        finished[split] = whole
        written = write_shards(
            source,
            split,
            samples[split][_count(whole) :],
            target,
            encoding=settings.encoding,
            downsample=settings.downsample,
            shard_size=shard_size,
            first_number=len(whole),
            progress=progress,
        )
        for shard in written:
            finished[split] += (shard,)
            dataclasses.replace(plan, splits=finished).save(target / UNFINISHED)
    dataclasses.replace(plan, splits=finished).save(target / INDEX)
    (target / UNFINISHED).unlink(missing_ok=True)
    return ConvertedDataset(target)


def _plan(
    source: SegmentationSource, dataset: str, splits: Sequence[str], settings: ConversionSettings
) -> ShardIndex:
    """Index without shards."""
    return ShardIndex(
        dataset=dataset,
        name=source.name,
        encoding=settings.encoding,
        downsample=settings.downsample,
        shard_mb=settings.shard_mb,
        class_names=tuple(source.class_names),
        palette=tuple(tuple(map(int, color)) for color in source.palette),
        ignore_label=source.ignore_label,
        mean=tuple(map(float, source.mean)),
        std=tuple(map(float, source.std)),
        splits=dict.fromkeys(splits, ()),
    )


def _count(shards: Sequence[Shard]) -> int:
    return sum(len(shard.records) for shard in shards)


def _begun(target: pathlib.Path, plan: ShardIndex) -> ShardIndex | None:
    """Record of an earlier conversion in `target`; `None` if the folder is empty.

    Raises:
        DataError: The folder has other contents, or a conversion of another data set or with other
            settings.
        OSError: The folder cannot be created or written.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"The folder {target} cannot be created: {error}.") from error
    if not os.access(target, os.W_OK | os.X_OK):
        raise OSError(
            f"The folder {target} is not writable; choose another one or change its permissions."
        )
    for path in (target / INDEX, target / UNFINISHED):
        if path.is_file():
            found = read_index(path)
            _check_same(target, found, plan)
            remove_partial(target)
            return found
    if not all(map(is_partial, target.iterdir())):
        raise DataError(
            f"{target} is not empty and holds no converted data set; give a new or empty folder."
        )
    return None


def _check_same(target: pathlib.Path, found: ShardIndex, plan: ShardIndex) -> None:
    for name in ("dataset", "encoding", "downsample", "shard_mb"):
        old, new = getattr(found, name), getattr(plan, name)
        if old != new:
            raise DataError(
                f"{target} holds a data set converted with {name}={old}, not {new}; {_REMEDY}."
            )
    if list(found.splits) != list(plan.splits):
        raise DataError(
            f"{target} holds the splits {', '.join(found.splits)}, not "
            f"{', '.join(plan.splits)}; {_REMEDY}."
        )
    if dataclasses.replace(found, splits={}) != dataclasses.replace(plan, splits={}):
        raise DataError(f"{target} holds a conversion with other classes; {_REMEDY}.")


def _made_of(
    source: SegmentationSource,
    samples: Sequence[Sample],
    shards: Sequence[Shard],
    shard_size: float,
) -> tuple[Shard, ...]:
    """The first shards that match `samples`, up to the first that differs."""
    end = 0
    found: list[Shard] = []
    for shard in shards:
        start, end = end, end + len(shard.records)
        # If files were added since, the former last shard is not full.
        is_closed = shard.size >= shard_size or end == len(samples)
        if not is_closed or inputs_digest(source, samples[start:end]) != shard.inputs:
            break
        found.append(shard)
    return tuple(found)


def _is_whole(target: pathlib.Path, shard: Shard) -> bool:
    path = target / shard.file
    try:
        check_size(path, shard)
    except DataError:
        return False
    return sha256(path) == shard.sha256
