"""Writes a network of video object segmentation as a SavedModel or an ONNX file."""

import pathlib
from typing import Any

import tensorflow as tf

from keras_fasterseg.export.manifest import check_target, described_files, manifest_of
from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.runtimes.artefact_format import (
    GRAPH_FILES,
    MANIFEST,
    ONNX,
    SAVED_MODEL,
    graph_digests,
)
from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME, METADATA_FILE, file_digests
from keras_fasterseg.video_objects.network import ObjectNetwork
from keras_fasterseg.video_objects.object_runner import OUTPUTS, ObjectGraph

TASK = "video_objects"
FORMATS = (SAVED_MODEL, ONNX)

_SIGNATURE = "serving_default"


def export_objects(
    network: ObjectNetwork,
    path: PathLike,
    format: str = SAVED_MODEL,
    *,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Exports a network with its normalisation, for one image of its own size per call.

    The graph maps `images`, uint8 RGB `(1, height, width, 3)`, to the outputs of `ObjectNetwork`,
    float32. Matching and templates are not part of it: they are a few operations on a few numbers
    per frame, see `Tracker`.

    Args:
        network: The network.
        path: The folder to write.
        format: `saved_model` or `onnx` (`model.onnx`).
        metadata: Further JSON-serialisable facts for the manifest.
        overwrite: Whether to replace an export at `path`.

    Returns:
        `path`. The write is atomic: if it fails, the previous contents stay.

    Raises:
        FileExistsError: `path` exists and `overwrite` is off, or `path` is not an export.
        RuntimeNotInstalledError: tf2onnx or onnxslim is not installed.
        ValueError: The format is unknown, or `metadata` is not JSON-serialisable or uses a
            reserved name.
    """
    path = pathlib.Path(path)
    if format not in FORMATS:
        raise ValueError(
            "A network of video object segmentation is exported to "
            f"{' or '.join(FORMATS)}. Received: format={format!r}"
        )
    check_target(path, overwrite)
    graph = ObjectGraph(network)
    specification = tf.TensorSpec((1, *network.input_size, 3), tf.uint8, name=INPUT_NAME)
    function = tf.function(
        lambda images: graph.outputs(images), [specification], autograph=False
    ).get_concrete_function()
    facts = manifest_of(
        {
            "task": TASK,
            "format": format,
            "input_size": list(network.input_size),
            "batch_size": 1,
            "outputs": list(OUTPUTS),
            "max_objects": network.max_objects,
            "genotype": network.genotype.to_json(),
            "trained_on": network.trained_on,
        },
        mean=network.mean,
        std=network.std,
        precision="float32",
        metadata=metadata,
        packages=() if format == SAVED_MODEL else ("tf2onnx", "onnx", "onnxslim"),
    )
    with atomic_path(path) as temporary:
        if format == SAVED_MODEL:
            module = tf.Module()
            module.variables_of_signatures = [weight.value for weight in network.weights]
            tf.saved_model.save(module, str(temporary), signatures={_SIGNATURE: function})
            files = described_files(temporary, file_digests(temporary))
            write_json(temporary / METADATA_FILE, {**facts, **files})
        else:
            temporary.mkdir()
            file = temporary / GRAPH_FILES[ONNX]
            file.write_bytes(onnx_model(function, simplify=True).SerializeToString())
            files = described_files(temporary, graph_digests(file))
            write_json(temporary / MANIFEST, {**facts, **files})
    return path
