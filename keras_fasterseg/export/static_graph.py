"""Writes a network of one image size for ONNX Runtime, OpenVINO or LiteRT."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fasterseg.export.manifest import check_target, manifest
from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.runtimes.artefact_format import (
    GRAPH_FILES,
    LITERT,
    MANIFEST,
    ONNX,
    OPENVINO,
    graph_digests,
)
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.serving_graph import CLASS_IDS, LOGITS, MINIMUM_SIZE, ServingGraph

OUTPUTS = {CLASS_IDS: (CLASS_IDS,), LOGITS: (LOGITS,), "both": (CLASS_IDS, LOGITS)}
"""What can be asked for, and the outputs that the graph has then."""


def export_static_graph(
    model: keras.Model,
    path: PathLike,
    *,
    format: str,
    input_size: tuple[int, int],
    batch_size: int = 1,
    outputs: str = CLASS_IDS,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    class_names: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Exports `model` with its preprocessing, padding and argmax, for images of one size.

    The graph has the input `images`, uint8 `(batch, height, width, 3)`, and the outputs
    `class_ids`, uint8 `(batch, height, width)`, and `logits`, float32
    `(batch, height, width, num_classes)`. At multiples of 32 it neither pads nor crops.
    `manifest.json` beside it says what `assets.extra/metadata.json` of a SavedModel says.

    Args:
        model: Maps normalised images to logits, see `ServingGraph`.
        path: The folder to write.
        format: `onnx` (`model.onnx`), `openvino` (`model.xml`, `model.bin`) or `litert`
            (`model.tflite`).
        input_size: Height and width of the images, each at least 32.
        batch_size: Images a call.
        outputs: `class_ids`, `logits` or `both`, which share one run of the network.
        num_classes: Number of classes of the logits, at most 255.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        class_names: A name for every class, in the order of the logits.
        metadata: Further facts for the manifest, such as `genotype`; fit for JSON.
        overwrite: Whether an exported network that is already at `path` is replaced.

    Returns:
        `path`, where either the whole export is or what had been there before.

    Raises:
        FileExistsError: `path` exists and `overwrite` is off, or it is something else than an
            exported network, which is never replaced.
        RuntimeNotInstalledError: What converts to this format is not installed.
        ValueError: See `export_saved_model`; or a size, the format or the outputs are out of their
            range.
    """
    path = pathlib.Path(path)
    write = _writer(format)
    _check(input_size, batch_size, outputs)
    check_target(path, overwrite)
    graph = ServingGraph(model, mean=mean, std=std, num_classes=num_classes)
    names = OUTPUTS[outputs]
    facts = manifest(
        graph,
        num_classes=num_classes,
        class_names=class_names,
        of_format={
            "format": format,
            "input_size": list(input_size),
            "batch_size": batch_size,
            "outputs": list(names),
        },
        metadata=metadata,
        packages=_PACKAGES[format],
    )
    function = tf.function(lambda images: graph.outputs(images, names), autograph=False)
    specification = tf.TensorSpec((batch_size, *input_size, 3), tf.uint8, name=INPUT_NAME)
    traced = function.get_concrete_function(specification)
    with atomic_path(path) as temporary:
        temporary.mkdir()
        file = temporary / GRAPH_FILES[format]
        write(traced, file)
        write_json(temporary / MANIFEST, {**facts, "files": graph_digests(file)})
    return path


def _check(input_size: tuple[int, int], batch_size: int, outputs: str) -> None:
    if len(input_size) != 2 or min(input_size) < MINIMUM_SIZE:
        raise ValueError(
            f"`input_size` must be height and width, each at least {MINIMUM_SIZE}. "
            f"Received: input_size={input_size}"
        )
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    if outputs not in OUTPUTS:
        raise ValueError(
            f"`outputs` must be one of {', '.join(OUTPUTS)}. Received: outputs={outputs!r}"
        )


def _write_onnx(function: Any, file: pathlib.Path) -> None:
    from keras_fasterseg.runtimes.conversion.onnx import onnx_model

    file.write_bytes(onnx_model(function).SerializeToString())


def _write_openvino(function: Any, file: pathlib.Path) -> None:
    from keras_fasterseg.runtimes.conversion.openvino import openvino_model

    model = openvino_model(function)
    import openvino

    # By default it would halve the precision of the weights.
    openvino.save_model(model, file, compress_to_fp16=False)


def _write_litert(function: Any, file: pathlib.Path) -> None:
    from keras_fasterseg.runtimes.conversion.litert import litert_model

    file.write_bytes(litert_model(function))


_WRITERS: dict[str, Callable[[Any, pathlib.Path], None]] = {
    ONNX: _write_onnx,
    OPENVINO: _write_openvino,
    LITERT: _write_litert,
}
_PACKAGES = {ONNX: ("tf2onnx", "onnx"), OPENVINO: ("tf2onnx", "onnx", "openvino"), LITERT: ()}

STATIC_FORMATS = tuple(_WRITERS)


def _writer(format: str) -> Callable[[Any, pathlib.Path], None]:
    if format not in _WRITERS:
        raise ValueError(
            f"`format` must be one of {', '.join(_WRITERS)}. Received: format={format!r}"
        )
    return _WRITERS[format]
