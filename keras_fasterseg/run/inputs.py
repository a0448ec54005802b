"""Digests of a stage's inputs: changed content is detected, a moved file does not matter."""

import concurrent.futures
import dataclasses
import hashlib
import json
import pathlib
import zipfile
from collections.abc import Iterable, Mapping
from typing import Protocol

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.files import read_json, sha256, write_json
from keras_fasterseg.progress import progress_bar

_NAMED = 3


class FileSource(Protocol):
    """A data set whose splits consist of files, such as a `SegmentationSource`."""

    name: str

    @property
    def root(self) -> pathlib.Path:
        """The folder of the data set."""
        ...

    def files(self, split: str) -> Mapping[str, pathlib.Path]:
        """The files of a split by a name that does not depend on the folder."""
        ...


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of a stage.

    Attributes:
        path: Location of the input; it may move.
        sha256: Digest of the content.
        files: Digests of the files of a folder, by their name below `path`; empty for one file.
    """

    path: str
    sha256: str
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_files(cls, path: pathlib.Path, files: Mapping[str, str]) -> "Input":
        """Returns the input in the folder `path` whose files have these digests."""
        return cls(
            str(path), digest(f"{name} {each}" for name, each in sorted(files.items())), files
        )


def digest(texts: Iterable[str]) -> str:
    """Returns the hexadecimal SHA-256 of lines of text."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def file_input(path: pathlib.Path) -> Input:
    """Input from a file's bytes, such as weights."""
    return Input(str(path), sha256(path))


def network_input(path: pathlib.Path) -> Input:
    """Input from a trained network: its configuration and weights, without the file's date.

    Raises:
        ValueError: The file is not an archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(set(archive.namelist()) - {"metadata.json"})
            digests = []
            for name in members:
                with archive.open(name) as file:
                    # A member has `readinto`, but its type does not declare it.
                    found = hashlib.file_digest(file, "sha256")  # pyright: ignore[reportArgumentType]
                    digests.append(f"{name} {found.hexdigest()}")
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise ValueError(f"{path} is not a trained network of this package: {error}.") from error
    return Input(str(path), digest(digests))


def table_input(path: pathlib.Path) -> Input:
    """Input from a latency table's file: its rows and metadata, without its calibration.

    A calibration may be added later; a search keeps the one that it began with.
    """
    rows = read_json(path)
    if isinstance(rows, dict):
        rows.pop("calibration", None)
    return Input(str(path), digest([json.dumps(rows, sort_keys=True)]))


class InputFiles:
    """Digests of data set files, cached in a folder so that an unchanged file is read only once.

    `known.json` maps each file's path, size and modification time to its digest. `DIGEST.json`
    lists the files of one input, so that messages can name the changed ones.

    Args:
        folder: Folder of the cache, created when needed; `None` caches nothing.
    """

    def __init__(self, folder: pathlib.Path | None = None):
        self.folder = folder

    def split(self, source: FileSource, split: str, progress: bool = True) -> Input:
        """Input from the images and labels of a split; joined splits are allowed.

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
        """Describes the changes of an input, for a message."""
        if now is None:
            return f"{name}: {'no longer read' if before else 'missing'}"
        listing = None if self.folder is None else self.folder / f"{before.get('sha256')}.json"
        if not now.files or listing is None or not listing.is_file():
            return f"{name}: changed ({now.path})"
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
            # Without the cache all files are read again, which only costs time.
            return {}
        return known if isinstance(known, dict) else {}


def _stamp(path: pathlib.Path) -> str:
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
