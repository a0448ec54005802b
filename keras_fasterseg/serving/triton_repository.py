"""Triton's repository: version folders of an ONNX model, and its config.pbtxt."""

import pathlib
import shutil
from collections.abc import Mapping

from keras_fasterseg.files import atomic_path, write_text
from keras_fasterseg.runtimes.artefact_format import GRAPH_FILES, MANIFEST, ONNX, Artefact
from keras_fasterseg.runtimes.file_runner import Shape
from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS
from keras_fasterseg.serving.tensorflow_serving_repository import BatchingParameters
from keras_fasterseg.serving.versions import versions

CONFIG = "config.pbtxt"

_TYPES = {INPUT_NAME: "TYPE_UINT8", CLASS_IDS: "TYPE_UINT8", LOGITS: "TYPE_FP32"}

# Triton's value for a free size.
_FREE = -1
# Replaces a free size in warm-up requests; any size of at least 32 will do.
_WARMUP_SIZE = 256


def add_onnx(artefact: Artefact, target: pathlib.Path, batching: BatchingParameters) -> None:
    """Copies the ONNX model to the version folder `target` and writes the model's config.pbtxt.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime, which reads the sizes, is not installed.
        ValueError: The file is damaged or was not exported by this package; its sizes, outputs or
            batching differ from the existing versions; or it does not support `batching`.
    """
    runner = OnnxRuntimeRunner(artefact.path)
    model = target.parent
    text = triton_config(runner.shapes, model.name, batching)
    config = model / CONFIG
    others = [version for version in versions(model) if str(version) != target.name]
    if others and config.is_file() and config.read_text(encoding="utf-8") != text:
        raise ValueError(
            f"{config} applies to all versions of the model, but this one differs in sizes, "
            "outputs or batching; choose another name with --name."
        )
    with atomic_path(target) as temporary:
        temporary.mkdir()
        shutil.copyfile(artefact.path, temporary / GRAPH_FILES[ONNX])
        if artefact.metadata:
            shutil.copyfile(artefact.path.parent / MANIFEST, temporary / MANIFEST)
    write_text(config, text)


def triton_config(shapes: Mapping[str, Shape], name: str, batching: BatchingParameters) -> str:
    """Contents of the config.pbtxt of a model.

    Triton's ONNX backend compares the shapes in this file with those that ONNX Runtime reports for
    the graph, and does not load the model if they differ.

    Args:
        shapes: Shapes of the graph's input and outputs by name, None for free sizes.
        name: Name of the model, which clients use.
        batching: Batching of requests, for graphs with a free batch.

    Raises:
        ValueError: Triton or this graph does not support a setting in `batching`.
    """
    # For models with batching, Triton prepends the batch to the dims itself.
    is_batched = all(shape[0] is None for shape in shapes.values())
    _check_batching(batching, shapes[INPUT_NAME][0], is_batched)
    dims = {
        name: [_FREE if side is None else side for side in shape[is_batched:]]
        for name, shape in shapes.items()
    }
    warmup = [_WARMUP_SIZE if side == _FREE else side for side in dims[INPUT_NAME]]
    tensors = {
        each: f'name: "{each}" data_type: {_TYPES[each]} dims: {dims[each]}' for each in dims
    }
    lines = [
        f'name: "{name}"',
        'backend: "onnxruntime"',
        f'default_model_filename: "{GRAPH_FILES[ONNX]}"',
        f"max_batch_size: {batching.value('max_batch_size') if is_batched else 0}",
        f"input [ {{ {tensors.pop(INPUT_NAME)} }} ]",
        *(f"output [ {{ {output} }} ]" for output in tensors.values()),
        "version_policy { latest { num_versions: 1 } }",
        'model_warmup [ { name: "first" '
        f"batch_size: {int(is_batched)} "
        f'inputs {{ key: "{INPUT_NAME}" value {{ data_type: TYPE_UINT8 dims: {warmup} '
        "zero_data: true } } } ]",
    ]
    if is_batched:
        delay = round(1e3 * batching.value("timeout_ms"))
        lines.append(f"dynamic_batching {{ max_queue_delay_microseconds: {delay} }}")
    return "\n".join(lines) + "\n"


def _check_batching(batching: BatchingParameters, batch: int | None, is_batched: bool) -> None:
    given = batching.given()
    for flag in ("--batch_threads", "--max_enqueued_batches"):
        if flag in given:
            raise ValueError(
                f"{flag} is a setting of TensorFlow Serving that Triton lacks; omit it for an ONNX "
                "model."
            )
    if given and not is_batched:
        raise ValueError(
            f"The graph needs exactly {batch} images per call, so Triton cannot batch requests; "
            f"omit {' and '.join(given)}, or export the network with --batch_size=0."
        )
