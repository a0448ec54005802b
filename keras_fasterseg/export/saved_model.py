"""Writes a SavedModel that accepts image bytes and runs without this package."""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fasterseg.export.manifest import Palette, check_target, described_files, manifest
from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.runtimes.artefact_format import SAVED_MODEL
from keras_fasterseg.runtimes.saved_model_format import (
    INPUT_NAME,
    METADATA_FILE,
    OUTPUT_NAMES,
    file_digests,
)
from keras_fasterseg.runtimes.serving_graph import ServingGraph
from keras_fasterseg.runtimes.signature import check_input_shape


def export_saved_model(
    model: keras.Model,
    path: PathLike,
    *,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    input_size: tuple[int, int] | None = None,
    class_names: Sequence[str] | None = None,
    palette: Palette | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Exports `model` with its preprocessing, padding and argmax.

    Signatures, with a free batch, and height and width free or fixed, at least 32:

    - `serving_default`: `images` uint8 RGB `(batch, height, width, 3)`, from 0 to 255 and not
      normalised -> `class_ids` uint8 `(batch, height, width)`
    - `logits`: `images` as above -> `logits` float32 `(batch, height, width, num_classes)`

    `assets.extra/metadata.json` holds classes, normalisation, precision, signatures, versions,
    SHA-256 of the files, and the fields in `metadata`.

    Args:
        model: Maps normalised images to logits, see `ServingGraph`.
        path: The folder to write. TensorFlow Serving requires a number as its name: `student/1`.
        num_classes: Number of classes of the logits, at most 255.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        input_size: Height and width of the images; None leaves both free.
        class_names: A name for every class, in the order of the logits.
        palette: RGB colour of every class, for displaying results.
        metadata: Further JSON-serialisable facts for the metadata file, such as `genotype`.
        overwrite: Whether to replace an exported network already at `path`.

    Returns:
        `path`. The write is atomic: if it fails, the previous contents stay.

    Raises:
        FileExistsError: `path` exists and `overwrite` is off, or `path` holds something other than
            an exported network, which is never replaced.
        ValueError: The names, colours or logits do not match the number of classes; `mean` or `std`
            are not three numbers in [0, 1]; a size is below 32; `metadata` is not JSON-serialisable
            or uses a reserved name.
    """
    path = pathlib.Path(path)
    if input_size is not None:
        check_input_shape(input_size)
    check_target(path, overwrite)
    graph = ServingGraph(model, mean=mean, std=std, num_classes=num_classes)
    signatures = {
        name: {"input": INPUT_NAME, "output": output} for name, output in OUTPUT_NAMES.items()
    }
    facts = manifest(
        graph,
        num_classes=num_classes,
        class_names=class_names,
        palette=palette,
        of_format={
            "format": SAVED_MODEL,
            "input_size": None if input_size is None else list(input_size),
            "batch_size": None,
            "signatures": signatures,
        },
        metadata=metadata,
    )
    with atomic_path(path) as temporary:
        _write_graph(graph, input_size or (None, None), temporary)
        files = described_files(temporary, file_digests(temporary))
        write_json(temporary / METADATA_FILE, {**facts, **files})
    return path


def _write_graph(
    graph: ServingGraph, size: tuple[int | None, int | None], path: pathlib.Path
) -> None:
    # Keras's ExportArchive would trace every signature twice.
    module = tf.Module()
    module.variables_of_signatures = [weight.value for weight in graph.model.weights]
    signature = [tf.TensorSpec((None, *size, 3), tf.uint8, name=INPUT_NAME)]
    signatures = {
        name: tf.function(
            lambda images, output=output: graph.outputs(images, (output,)),
            signature,
            autograph=False,
        ).get_concrete_function()
        for name, output in OUTPUT_NAMES.items()
    }
    tf.saved_model.save(module, str(path), signatures=signatures)
