"""The content of what a stage reads, so that a change is noticed and a move is not."""

import concurrent.futures
import dataclasses
import hashlib
import json
import pathlib
import zipfile
from collections.abc import Iterable, Mapping

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import read_json, sha256, write_json
from keras_fasterseg.progress import progress_bar

_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Input:
    """Something that a stage reads.

    Attributes:
        path: Where it lies; it may move.
        sha256: Digest of the content.
        files: Digests of its files by their name below `path`, if it has more than one.
    """

    path: str
    sha256: str
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_files(cls, path: pathlib.Path, files: Mapping[str, str]) -> "Input":
        """The input in the folder `path` whose files have these digests."""
        return cls(
            str(path), digest(f"{name} {each}" for name, each in sorted(files.items())), files
        )


def digest(texts: Iterable[str]) -> str:
    """The hexadecimal SHA-256 of lines of text."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def file_input(path: pathlib.Path) -> Input:
    """A file as it is, such as weights."""
    return Input(str(path), sha256(path))


def network_input(path: pathlib.Path) -> Input:
    """A trained network: its configuration and its weights, not the date of its file.

    Raises:
        ValueError: The file is no archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(set(archive.namelist()) - {"metadata.json"})
            digests = []
            for name in members:
                with archive.open(name) as file:
                    # A member has `readinto`, which its type does not say.
                    found = hashlib.file_digest(file, "sha256")  # pyright: ignore[reportArgumentType]
                    digests.append(f"{name} {found.hexdigest()}")
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise ValueError(f"{path} is not a trained network of this package: {error}.") from error
    return Input(str(path), digest(digests))


def table_input(path: pathlib.Path) -> Input:
    """A latency table's file: its rows and how they were measured.

    Not its calibration, which may come later: a search keeps the one that it began with.
    """
    rows = read_json(path)
    if isinstance(rows, dict):
        rows.pop("calibration", None)
    return Input(str(path), digest([json.dumps(rows, sort_keys=True)]))


class InputFiles:
    """Digests of data sets' files, kept in a folder so that an unchanged file is read once.

    `known.json` has the digest of every file by its path, size and time of modification;
    `DIGEST.json` has the files of one input, for a message that says what has changed.

    Args:
        folder: Made when something is to be kept; `None` keeps nothing.
    """

    def __init__(self, folder: pathlib.Path | None = None):
        self.folder = folder

    def split(self, source: SegmentationSource, split: str, progress: bool = True) -> Input:
        """The images and labels of a split, joined splits included.

        Raises:
            ValueError: The data set has no such split.
            DataError: The split is empty or lacks a label.
            OSError: A file cannot be read.
        """
        files = source.files(split)
        known = self._known()
        stamps = {name: _stamp(path) for name, path in files.items()}
        new = {name: path for name, path in files.items() if stamps[name] not in known}
        with concurrent.futures.ThreadPoolExecutor(available_cores().reading_threads) as threads:
            digests = progress_bar(
                threads.map(sha256, new.values()),
                f"reading {source.name} {split}",
                unit="file",
                total=len(new),
                show=progress and bool(new),
            )
            known |= zip((stamps[name] for name in new), digests, strict=True)
        found = Input.of_files(source.root, {name: known[stamps[name]] for name in files})
        if self.folder is not None:
            if new:
                write_json(self.folder / "known.json", known)
            listing = self.folder / f"{found.sha256}.json"
            if not listing.exists():
                write_json(listing, found.files)
        return found

    def changes(self, name: str, before: Mapping[str, object], now: Input | None) -> str:
        """Sentence on the changes of an input, for people."""
        if now is None:
            return f"{name} {'is no longer read' if before else 'is not there'}"
        listing = None if self.folder is None else self.folder / f"{before.get('sha256')}.json"
        if not now.files or listing is None or not listing.is_file():
            return f"{name} has changed ({now.path})"
        old, new = read_json(listing), now.files
        kinds = {
            "changed": [file for file in new if file in old and new[file] != old[file]],
            "new": [file for file in new if file not in old],
            "gone": [file for file in old if file not in new],
        }
        return f"{name} in {now.path}: " + "; ".join(
            f"{len(found)} {kind} ({', '.join(found[:_NAMED])}{', ...' * (len(found) > _NAMED)})"
            for kind, found in kinds.items()
            if found
        )

    def _known(self) -> dict[str, str]:
        path = None if self.folder is None else self.folder / "known.json"
        if path is None or not path.is_file():
            return {}
        try:
            known = read_json(path)
        except ValueError:
            # Read again, at the cost of the time that it would have saved.
            return {}
        return known if isinstance(known, dict) else {}


def _stamp(path: pathlib.Path) -> str:
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
