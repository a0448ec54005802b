"""Names and metadata of a SavedModel of this package."""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_fasterseg.files import PathLike, read_json, sha256, shown
from keras_fasterseg.runtimes.signature import CLASS_IDS, LARGEST_SIDE, LOGITS, MAXIMUM_CLASSES

CLASS_IDS_SIGNATURE = "serving_default"
LOGITS_SIGNATURE = "logits"
INPUT_NAME = "images"
# Signature -> name of its only output. Clients use these names, so they never change.
OUTPUT_NAMES = {CLASS_IDS_SIGNATURE: CLASS_IDS, LOGITS_SIGNATURE: LOGITS}
SIGNATURES = {output: signature for signature, output in OUTPUT_NAMES.items()}

# TensorFlow reserves this folder of a SavedModel for users.
METADATA_FILE = pathlib.PurePosixPath("assets.extra/metadata.json")
# Requests that TensorFlow Serving runs first. They are added for a server and do not change the
# exported network.
WARMUP_FILE = pathlib.PurePosixPath("assets.extra/tf_serving_warmup_requests")
_ADDED = (str(METADATA_FILE), str(WARMUP_FILE))


def is_saved_model(path: PathLike) -> bool:
    """True if `path` is a folder with the graph of a SavedModel."""
    path = pathlib.Path(path)
    return any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))


def file_digests(path: PathLike) -> dict[str, str]:
    """SHA-256 of every file of the SavedModel at `path` except its metadata and warm-up requests.

    Returns:
        Hexadecimal digests by path relative to the SavedModel, with forward slashes, sorted.
    """
    root = pathlib.Path(path)
    names = sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())
    return {name: sha256(root / name) for name in names if name not in _ADDED}


def artefact_digest(path: PathLike) -> str:
    """One SHA-256 for the SavedModel at `path`, over the names and digests of its files."""
    return joined_digest(file_digests(path))


def joined_digest(digests: Mapping[str, str]) -> str:
    """One SHA-256 for the names and digests of several files."""
    lines = [f"{digest}  {name}\n" for name, digest in digests.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_metadata(path: PathLike) -> dict[str, Any]:
    """The metadata of the SavedModel at `path`; empty if it has none.

    Raises:
        ValueError: The metadata file is not a JSON object, or a field of it is wrong.
    """
    file = pathlib.Path(path) / METADATA_FILE
    metadata = read_json(file) if file.is_file() else {}
    if not isinstance(metadata, dict):
        raise ValueError(f"{file} must hold a JSON object; export the network again.")
    check_manifest(file, metadata)
    return metadata


def check_manifest(file: pathlib.Path, manifest: Mapping[str, Any]) -> None:
    """Checks the manifest fields that other code relies on, since a manifest may be untrusted.

    Raises:
        ValueError: A field has a value that no export of this package has.
    """
    count = manifest.get("num_classes")
    names = manifest.get("class_names")
    numbers = {name: manifest.get(name) for name in ("mean", "std")}
    sides = {"input_size": manifest.get("input_size"), "batch_size": manifest.get("batch_size")}
    wrong = [
        *(["num_classes"] if not (count is None or _is_whole(count, MAXIMUM_CLASSES)) else []),
        *(["class_names"] if not (names is None or _is_text_list(names, count)) else []),
        *(name for name, value in numbers.items() if not (value is None or _is_triple(value))),
        *(name for name, value in sides.items() if not _are_sides(value)),
    ]
    if wrong:
        raise ValueError(
            f"{file} is not the manifest of an export of this package: its {wrong[0]} is "
            f"{shown(manifest[wrong[0]])}; export the network again."
        )


def _is_whole(value: Any, largest: int) -> bool:
    return type(value) is int and 1 <= value <= largest


def _is_text_list(value: Any, count: int | None) -> bool:
    fine = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return fine and count in (None, len(value))


def _is_triple(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(item) in (int, float) and abs(item) <= 1 for item in value)
    )


def _are_sides(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value]
    return len(listed) <= 2 and all(
        each is None or (type(each) is int and -1 <= each <= LARGEST_SIDE) for each in listed
    )
