"""Manifest of an exported network, for all formats, and the check of its target folder."""

import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_fasterseg.files import PathLike, read_json, write_json
from keras_fasterseg.runtimes.artefact_format import MANIFEST, is_artefact_folder
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.runtimes.saved_model_format import (
    INPUT_NAME,
    METADATA_FILE,
    is_saved_model,
)
from keras_fasterseg.runtimes.serving_graph import ServingGraph
from keras_fasterseg.version import __version__

Palette = np.ndarray | Sequence[Sequence[int]]
"""RGB colours, `(num_classes, 3)`, from 0 to 255."""

FORMAT_VERSION = 1

INPUT = {
    "name": INPUT_NAME,
    "dtype": "uint8",
    "channels": "RGB",
    "layout": "NHWC",
    "range": [0, 255],
}
"""The input of every export: image bytes in RGB order, not normalised."""


def manifest(
    graph: ServingGraph,
    *,
    num_classes: int,
    class_names: Sequence[str] | None,
    palette: Palette | None = None,
    of_format: Mapping[str, Any],
    metadata: Mapping[str, Any] | None,
    packages: Sequence[str] = (),
) -> dict[str, Any]:
    """Classes, normalisation, precision and versions of an exported network, as JSON values.

    The digests of its files (`files`) and their total size (`bytes`) are added once the files are
    written.

    Args:
        graph: The network with its preprocessing.
        num_classes: Number of classes of the logits.
        class_names: A name for every class, in the order of the logits.
        palette: RGB colour of every class; `colors` in the manifest.
        of_format: Fields specific to this format.
        metadata: Fields added by the caller, such as `genotype`.
        packages: Further distributions whose versions are recorded.

    Raises:
        ValueError: The names or colours do not match the number of classes; `metadata` is not
            JSON-serialisable or uses a reserved name.
    """
    if class_names is not None and len(class_names) != num_classes:
        raise ValueError(
            f"`class_names` must name every class. Received: {len(class_names)} names for "
            f"num_classes={num_classes}"
        )
    of_network = {
        "num_classes": num_classes,
        "class_names": None if class_names is None else list(class_names),
        "colors": None if palette is None else _colors(palette, num_classes),
    }
    return manifest_of(
        {**of_network, **of_format},
        mean=graph.mean,
        std=graph.std,
        precision=graph.precision,
        metadata=metadata,
        packages=packages,
    )


def manifest_of(
    facts: Mapping[str, Any],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    precision: str,
    metadata: Mapping[str, Any] | None,
    packages: Sequence[str] = (),
) -> dict[str, Any]:
    """Manifest of a network for any task: `facts`, and those that all exports share.

    Args:
        facts: Fields of the task and the format.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        precision: Compute dtypes of the layers with weights.
        metadata: Fields added by the caller, such as `genotype`.
        packages: Further distributions whose versions are recorded.

    Raises:
        ValueError: `metadata` is not JSON-serialisable or uses a reserved name.
    """
    shared = {
        "format_version": FORMAT_VERSION,
        "input": INPUT,
        "mean": list(mean),
        "std": list(std),
        "precision": precision,
        "versions": _versions(packages),
    }
    return _merged({**shared, **facts}, metadata or {})


def described_files(folder: pathlib.Path, digests: Mapping[str, str]) -> dict[str, Any]:
    """Manifest fields for the files in `folder`: their `digests` and their total `bytes`."""
    return {
        "files": dict(digests),
        "bytes": sum((folder / name).stat().st_size for name in digests),
    }


def extend_manifest(path: PathLike, facts: Mapping[str, Any]) -> None:
    """Adds `facts` to the manifest of the exported network in the folder `path`.

    Raises:
        ValueError: `facts` are not JSON-serialisable or use a name that the manifest already has.
    """
    path = pathlib.Path(path)
    file = path / (METADATA_FILE if is_saved_model(path) else MANIFEST)
    write_json(file, _merged(read_json(file), facts))


def check_target(path: pathlib.Path, overwrite: bool) -> None:
    """Checks that `path` is free or holds an export that may be replaced.

    Raises:
        FileExistsError: `path` exists and `overwrite` is off, or `path` is not an export.
    """
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists; pass --overwrite (overwrite=True) or choose another folder."
        )
    if not is_artefact_folder(path):
        raise FileExistsError(
            f"{path} exists but is neither a SavedModel nor another export, so it is not "
            "overwritten; choose another folder."
        )


def _colors(palette: Palette, num_classes: int) -> list[list[int]]:
    colors = np.asarray(palette)
    if colors.shape != (num_classes, 3) or colors.min() < 0 or colors.max() > 255:
        raise ValueError(
            "`palette` must have three numbers from 0 to 255 per class. Received: shape "
            f"{colors.shape} for num_classes={num_classes}"
        )
    return [[int(value) for value in color] for color in colors]


def _merged(facts: dict[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    clashes = sorted(set(metadata) & {*facts, "files", "bytes"})
    if clashes:
        raise ValueError(
            f"`metadata` must not use names reserved for the export. Received: {clashes}"
        )
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`metadata` must be JSON-serialisable: {error}.") from error
    return {**facts, **metadata}


def _versions(packages: Sequence[str]) -> dict[str, str]:
    backend, version = backend_device().version().split()
    return {
        "keras_fasterseg": __version__,
        "keras": keras.__version__,
        backend: version,
        "numpy": np.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }
