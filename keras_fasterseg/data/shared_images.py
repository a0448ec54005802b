"""Images that two splits have in common: a network knows those of its training by heart."""

import collections
import pathlib
from collections.abc import Callable, Hashable, Mapping, Sequence

from keras_fasterseg.files import sha256

_MIDDLE_BYTES = 4096

FilesBySplit = Mapping[str, Sequence[pathlib.Path]]


def shared_images(splits: FilesBySplit) -> list[FilesBySplit]:
    """Groups of image files with the same bytes in more than one split.

    Args:
        splits: The image files of each split.

    Returns:
        For every such image its files, by split, in the order of the splits.

    Raises:
        OSError: A file cannot be read.
    """
    # Equal bytes are of equal length, so that most files need not be read, and images of a format
    # without compression, which are all of one length, differ in their middle.
    groups = [splits]
    for key in (lambda path: path.stat().st_size, _middle, sha256):
        groups = [alike for group in groups for alike in _alike(group, key)]
    return groups


def _middle(path: pathlib.Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(path.stat().st_size // 2)
        return file.read(_MIDDLE_BYTES)


def _alike(splits: FilesBySplit, key: Callable[[pathlib.Path], Hashable]) -> list[FilesBySplit]:
    """The files of equal `key`, where more than one split has such."""
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for split, paths in splits.items():
        for path in paths:
            groups[key(path)][split].append(path)
    return [dict(group) for group in groups.values() if len(group) > 1]
