"""Finds images that splits share: training images in a validation split inflate its scores."""

import collections
import pathlib
from collections.abc import Callable, Hashable, Mapping, Sequence

from keras_fasterseg.files import sha256

_MIDDLE_BYTES = 4096

FilesBySplit = Mapping[str, Sequence[pathlib.Path]]


def shared_images(splits: FilesBySplit) -> list[FilesBySplit]:
    """Groups image files that have the same bytes in more than one split.

    Args:
        splits: The image files of each split.

    Returns:
        For every shared image, its files by split, in the order of the splits.

    Raises:
        OSError: A file cannot be read.
    """
    # Equal files have equal lengths, so most files need not be read. Uncompressed images all have
    # the same length, but differ in the middle.
    groups = [splits]
    for key in (lambda path: path.stat().st_size, _middle, sha256):
        groups = [alike for group in groups for alike in _alike(group, key)]
    return groups


def _middle(path: pathlib.Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(path.stat().st_size // 2)
        return file.read(_MIDDLE_BYTES)


def _alike(splits: FilesBySplit, key: Callable[[pathlib.Path], Hashable]) -> list[FilesBySplit]:
    """Groups the files with equal `key`; keeps the groups with files of more than one split."""
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for split, paths in splits.items():
        for path in paths:
            groups[key(path)][split].append(path)
    return [dict(group) for group in groups.values() if len(group) > 1]
