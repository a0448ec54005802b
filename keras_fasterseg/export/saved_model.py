"""Writes a SavedModel that takes bytes of images and needs nothing of this package."""

import json
import pathlib
import platform
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.runtimes.saved_model_format import (
    CLASS_IDS_SIGNATURE,
    INPUT_NAME,
    LOGITS_SIGNATURE,
    METADATA_FILE,
    OUTPUT_NAMES,
    file_digests,
    is_saved_model,
)
from keras_fasterseg.runtimes.serving_graph import ServingGraph
from keras_fasterseg.version import __version__

FORMAT_VERSION = 1


def export_saved_model(
    model: keras.Model,
    path: PathLike,
    *,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    class_names: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Exports `model` with its preprocessing, padding and argmax.

    Signatures, batch and sizes free, height and width at least 32:

    - `serving_default`: `images` uint8 `(batch, height, width, 3)` ->
      `class_ids` uint8 `(batch, height, width)`
    - `logits`: `images` as above -> `logits` float32 `(batch, height, width, num_classes)`

    `assets.extra/metadata.json` says what the artefact is: classes, normalisation, precision,
    signatures, versions, SHA-256 of its files, and what `metadata` adds.

    Args:
        model: Maps normalised images to logits, see `ServingGraph`.
        path: The folder to write. TensorFlow Serving wants a number for a name: `student/1`.
        num_classes: Number of classes of the logits, at most 255.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        class_names: A name for every class, in the order of the logits.
        metadata: Further facts for the metadata file, such as `genotype`; fit for JSON.
        overwrite: Whether a SavedModel that is already at `path` is replaced.

    Returns:
        `path`, where either the whole SavedModel is or what had been there before.

    Raises:
        FileExistsError: `path` exists and `overwrite` is off, or it is something else than a
            SavedModel, which is never replaced.
        ValueError: Number of classes and the names or the logits disagree; `mean` or `std` are not
            three numbers in [0, 1]; `metadata` is not fit for JSON or uses a name of ours.
    """
    path = pathlib.Path(path)
    _check_target(path, overwrite)
    if class_names is not None and len(class_names) != num_classes:
        raise ValueError(
            f"`class_names` must name every class. Received: {len(class_names)} names for "
            f"num_classes={num_classes}"
        )
    graph = ServingGraph(model, mean=mean, std=std, num_classes=num_classes)
    facts = {
        "format_version": FORMAT_VERSION,
        "num_classes": num_classes,
        "class_names": None if class_names is None else list(class_names),
        "mean": [float(value) for value in mean],
        "std": [float(value) for value in std],
        "precision": graph.precision,
        "signatures": {
            name: {"input": INPUT_NAME, "output": output} for name, output in OUTPUT_NAMES.items()
        },
        "versions": _versions(),
    }
    facts = _merged(facts, metadata or {})
    with atomic_path(path) as temporary:
        _write_graph(graph, temporary)
        write_json(temporary / METADATA_FILE, {**facts, "files": file_digests(temporary)})
    return path


def _check_target(path: pathlib.Path, overwrite: bool) -> None:
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True or choose another version.")
    if not is_saved_model(path):
        raise FileExistsError(f"{path} exists and is not a SavedModel, so it is not overwritten.")


def _merged(facts: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    clashes = sorted(set(metadata) & {*facts, "files"})
    if clashes:
        raise ValueError(
            f"`metadata` must not hold names that the export sets itself. Received: {clashes}"
        )
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`metadata` must be fit for JSON: {error}.") from error
    return {**facts, **metadata}


def _versions() -> dict[str, str]:
    return {
        "keras_fasterseg": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _write_graph(graph: ServingGraph, path: pathlib.Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(graph.model)
    signature = list(ServingGraph.input_signature)
    archive.add_endpoint(
        CLASS_IDS_SIGNATURE,
        lambda images: {OUTPUT_NAMES[CLASS_IDS_SIGNATURE]: graph.class_ids(images)},
        input_signature=signature,
    )
    archive.add_endpoint(
        LOGITS_SIGNATURE,
        lambda images: {OUTPUT_NAMES[LOGITS_SIGNATURE]: graph.logits(images)},
        input_signature=signature,
    )
    archive.write_out(str(path), verbose=False)
