"""Warnings about files that do not stop a run but may spoil its result."""

import collections
import contextlib
import pathlib
from collections.abc import Iterator, Sequence

from absl import logging

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_encoding import FORMATS
from keras_fasterseg.data.shared_images import FilesBySplit, shared_images
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.wording import counted, few


def warn_of_files(source: SegmentationSource, splits: Sequence[str]) -> None:
    """Logs warnings about the files of `splits` before training or scoring."""
    if not source.has_files:
        return
    images = {}
    for split in dict.fromkeys(splits):
        for sentence in passed_over_sentences(split, source.passed_over(split)):
            logging.warning("%s", sentence)
        # Errors in a split are reported by whatever reads it.
        with contextlib.suppress(DataError):
            pairs = source.pairs(split)
            images[split] = [pair.image for pair in pairs if pair.image.is_file()]
    for sentence in shared_image_sentences(shared_images(images)):
        logging.warning("%s", sentence)


def passed_over_sentences(split: str, files: Sequence[pathlib.Path]) -> Iterator[str]:
    """Yields a sentence about files that look like data but are not used, if any."""
    if not files:
        return
    suffixes = collections.Counter(path.suffix.lower() or "no suffix" for path in files)
    kinds = ", ".join(f"{suffix}: {count:,}" for suffix, count in suffixes.most_common())
    yield (
        f"Not used for {split}: {counted(len(files), 'file')} ({kinds}): {few(files)}. Only "
        f"{', '.join(FORMATS)} files in the split's folders are used; if several have the same "
        "name, only the .png."
    )


def shared_image_sentences(groups: Sequence[FilesBySplit]) -> Iterator[str]:
    """Yields a sentence about images that occur in more than one split, if any."""
    if not groups:
        return
    files = [
        " = ".join(str(path) for paths in group.values() for path in paths[:1]) for group in groups
    ]
    yield (
        f"{counted(len(groups), 'image')} in more than one split (identical bytes), so scores "
        f"include training images: {few(files)}."
    )
