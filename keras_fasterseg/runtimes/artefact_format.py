"""Files of an exported network, by format, and the manifest next to them."""

import dataclasses
import pathlib
from typing import Any

from keras_fasterseg.files import PathLike, read_json, sha256
from keras_fasterseg.runtimes.saved_model_format import (
    artefact_digest,
    check_manifest,
    is_saved_model,
    joined_digest,
    read_metadata,
)

MANIFEST = "manifest.json"
SAVED_MODEL = "saved_model"
ONNX = "onnx"
OPENVINO = "openvino"
LITERT = "litert"
TENSORRT = "tensorrt"
TENSORRT_RTX = "tensorrt_rtx"

GRAPH_FILES = {
    ONNX: "model.onnx",
    OPENVINO: "model.xml",
    LITERT: "model.tflite",
    TENSORRT: "model.plan",
    TENSORRT_RTX: "model.rtx",
}
"""The graph file in an export's folder, by format; a SavedModel is a folder instead."""

# OpenVINO keeps the weights in a separate file.
_WEIGHTS_SUFFIX = {".xml": ".bin"}

# Files next to a graph, and the graph of a SavedModel; none is opened by itself.
_PARTS = (MANIFEST, "model.bin", "saved_model.pb", "saved_model.pbtxt", "fingerprint.pb")
_FOLDERS_OF_PARTS = ("variables", "assets.extra")


@dataclasses.dataclass(frozen=True)
class Artefact:
    """An exported network on disk.

    Attributes:
        format: `saved_model` or one of `GRAPH_FILES`.
        path: The graph file; for a SavedModel, the folder.
        metadata: The contents of its manifest; empty without a manifest.
    """

    format: str
    path: pathlib.Path
    metadata: dict[str, Any]

    def digest(self) -> str:
        """One SHA-256 over names and contents of the files, without the manifest."""
        if self.format == SAVED_MODEL:
            return artefact_digest(self.path)
        return joined_digest(graph_digests(self.path))


def find_artefact(path: PathLike) -> Artefact:
    """The exported network at `path`: a SavedModel, the folder of an export or a graph file.

    Raises:
        FileNotFoundError: `path` does not exist.
        ValueError: `path` is not an exported network, or its manifest is not JSON or is wrong.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise FileNotFoundError(f"The exported network {path} does not exist.")
    for name, graph_file in GRAPH_FILES.items():
        if path.suffix == pathlib.PurePath(graph_file).suffix:
            return Artefact(name, path, _manifest(path, name))
    folder = folder_of_part(path)
    if folder is not None:
        raise ValueError(f"{path} is part of the export {folder}: pass the folder instead.")
    raise ValueError(
        f"{path} is not an exported network: pass the folder of an export or a file that ends in "
        f"{', '.join(suffixes())}."
    )


def suffixes() -> tuple[str, ...]:
    """File name suffixes of graph files, such as `.onnx`."""
    return tuple(pathlib.PurePath(name).suffix for name in GRAPH_FILES.values())


def folder_of_part(path: PathLike) -> pathlib.Path | None:
    """The export's folder if the file `path` is one of its parts, such as `saved_model.pb`."""
    path = pathlib.Path(path)
    folder = path.parent.parent if path.parent.name in _FOLDERS_OF_PARTS else path.parent
    is_part = folder != path.parent or path.name in _PARTS
    return folder if is_part and path.is_file() and is_artefact_folder(folder) else None


def is_artefact_folder(path: PathLike) -> bool:
    """True if `path` is a SavedModel or an export's folder with its manifest."""
    path = pathlib.Path(path)
    graphs = any((path / name).is_file() for name in GRAPH_FILES.values())
    return is_saved_model(path) or (graphs and (path / MANIFEST).is_file())


def graph_digests(path: PathLike) -> dict[str, str]:
    """SHA-256 of the graph file and of its weights file, if separate, by name, sorted."""
    path = pathlib.Path(path)
    weights = path.with_suffix(_WEIGHTS_SUFFIX.get(path.suffix, path.suffix))
    files = sorted({path, weights})
    return {file.name: sha256(file) for file in files if file.is_file()}


def _in_folder(folder: pathlib.Path) -> Artefact:
    if is_saved_model(folder):
        return Artefact(SAVED_MODEL, folder, read_metadata(folder))
    for name, graph_file in GRAPH_FILES.items():
        if (folder / graph_file).is_file():
            return Artefact(name, folder / graph_file, _manifest(folder / graph_file, name))
    raise ValueError(
        f"No exported network at {folder}: pass the folder that holds saved_model.pb or one of "
        f"{', '.join(GRAPH_FILES.values())}."
    )


def _manifest(graph: pathlib.Path, name: str) -> dict[str, Any]:
    """The manifest next to a graph; empty if it describes another format."""
    file = graph.parent / MANIFEST
    if graph.name != GRAPH_FILES[name] or not file.is_file():
        return {}
    manifest = read_json(file)
    if not isinstance(manifest, dict) or manifest.get("format") != name:
        return {}
    check_manifest(file, manifest)
    return manifest
