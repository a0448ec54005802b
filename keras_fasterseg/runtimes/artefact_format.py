"""The files that an exported network consists of, by format, and the manifest beside them."""

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
"""The file with the graph in an export's folder; a SavedModel is a folder of its own kind."""

# OpenVINO keeps the weights in a file of their own.
_WEIGHTS_SUFFIX = {".xml": ".bin"}

# What lies beside a graph, or is the graph of a SavedModel, and is not opened by itself.
_PARTS = (MANIFEST, "model.bin", "saved_model.pb", "saved_model.pbtxt", "fingerprint.pb")
_FOLDERS_OF_PARTS = ("variables", "assets.extra")


@dataclasses.dataclass(frozen=True)
class Artefact:
    """An exported network on disk.

    Attributes:
        format: `saved_model` or one of `GRAPH_FILES`.
        path: The file with the graph; of a SavedModel the folder.
        metadata: What its manifest says; empty if it has none.
    """

    format: str
    path: pathlib.Path
    metadata: dict[str, Any]

    def digest(self) -> str:
        """One SHA-256 for names and contents of the files; the manifest is not among them."""
        if self.format == SAVED_MODEL:
            return artefact_digest(self.path)
        return joined_digest(graph_digests(self.path))


def find_artefact(path: PathLike) -> Artefact:
    """The exported network at `path`: a SavedModel, the folder of an export or a graph's file.

    Raises:
        FileNotFoundError: There is nothing of that name.
        ValueError: It is something else, or its manifest is not JSON.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no exported network {path}.")
    for name, graph_file in GRAPH_FILES.items():
        if path.suffix == pathlib.PurePath(graph_file).suffix:
            return Artefact(name, path, _manifest(path, name))
    folder = folder_of_part(path)
    if folder is not None:
        raise ValueError(f"{path} is a part of the export {folder}: give the folder.")
    raise ValueError(
        f"{path} is not an exported network: give the folder of an export or a file that ends in "
        f"{', '.join(suffixes())}."
    )


def suffixes() -> tuple[str, ...]:
    """How the names of files with graphs end, such as `.onnx`."""
    return tuple(pathlib.PurePath(name).suffix for name in GRAPH_FILES.values())


def folder_of_part(path: PathLike) -> pathlib.Path | None:
    """The export's folder if the file `path` is one of its parts, such as `saved_model.pb`."""
    path = pathlib.Path(path)
    folder = path.parent.parent if path.parent.name in _FOLDERS_OF_PARTS else path.parent
    is_part = folder != path.parent or path.name in _PARTS
    return folder if is_part and path.is_file() and is_artefact_folder(folder) else None


def is_artefact_folder(path: PathLike) -> bool:
    """Whether `path` is the folder of an export, manifest included, or a SavedModel."""
    path = pathlib.Path(path)
    graphs = any((path / name).is_file() for name in GRAPH_FILES.values())
    return is_saved_model(path) or (graphs and (path / MANIFEST).is_file())


def graph_digests(path: PathLike) -> dict[str, str]:
    """SHA-256 of the file with the graph and of that with its weights, by name, sorted."""
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
        f"There is no SavedModel at {folder}: pass the folder that holds saved_model.pb or one of "
        f"{', '.join(GRAPH_FILES.values())}."
    )


def _manifest(graph: pathlib.Path, name: str) -> dict[str, Any]:
    """The manifest beside a graph, if it speaks of this one."""
    file = graph.parent / MANIFEST
    if graph.name != GRAPH_FILES[name] or not file.is_file():
        return {}
    manifest = read_json(file)
    if not isinstance(manifest, dict) or manifest.get("format") != name:
        return {}
    check_manifest(file, manifest)
    return manifest
