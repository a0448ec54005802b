"""Sentences on files that do not stop a run, but may spoil its result."""

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
    """Logs what there is to say of the files of `splits` before they are trained or scored on."""
    if not source.has_files:
        return
    images = {}
    for split in dict.fromkeys(splits):
        for sentence in passed_over_sentences(split, source.passed_over(split)):
            logging.warning("%s", sentence)
        # What is wrong with a split is for those to say who read it.
        with contextlib.suppress(DataError):
            pairs = source.pairs(split)
            images[split] = [pair.image for pair in pairs if pair.image.is_file()]
    for sentence in shared_image_sentences(shared_images(images)):
        logging.warning("%s", sentence)


def passed_over_sentences(split: str, files: Sequence[pathlib.Path]) -> Iterator[str]:
    """A sentence on the files that look like data and are not taken, if there are such."""
    if not files:
        return
    suffixes = collections.Counter(path.suffix.lower() or "no suffix" for path in files)
    kinds = ", ".join(f"{suffix}: {count:,}" for suffix, count in suffixes.most_common())
    yield (
        f"Not taken for {split}: {counted(len(files), 'file')} ({kinds}), {few(files)}. Taken are "
        f"{', '.join(FORMATS)} files in the folders of the split, of several with one name "
        "the .png."
    )


def shared_image_sentences(groups: Sequence[FilesBySplit]) -> Iterator[str]:
    """A sentence on the images that more than one split has, if there are such."""
    if not groups:
        return
    files = [
        " = ".join(str(path) for paths in group.values() for path in paths[:1]) for group in groups
    ]
    yield (
        f"{counted(len(groups), 'image')} in more than one split, byte for byte, so that scores "
        f"are of what was trained on: {few(files)}."
    )
