"""Images that two splits have in common: a network knows those of its training by heart."""

import collections
import pathlib
from collections.abc import Callable, Hashable, Mapping, Sequence

from keras_fasterseg.files import sha256

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
    # Equal bytes are of equal length, so that most files need not be read.
    alike = _alike(splits, lambda path: path.stat().st_size)
    return [group for candidates in alike for group in _alike(candidates, sha256)]


def _alike(
    splits: FilesBySplit, key: Callable[[pathlib.Path], Hashable]
) -> list[dict[str, list[pathlib.Path]]]:
    """The files of equal `key`, where more than one split has such."""
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for split, paths in splits.items():
        for path in paths:
            groups[key(path)][split].append(path)
    return [dict(group) for group in groups.values() if len(group) > 1]
