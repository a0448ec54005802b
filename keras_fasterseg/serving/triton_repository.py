"""Triton's repository: version folders of an ONNX model and its config.pbtxt."""

import pathlib
import shutil

from keras_fasterseg.files import atomic_path, write_text
from keras_fasterseg.runtimes.artefact_format import GRAPH_FILES, MANIFEST, ONNX, Artefact
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.signature import CLASS_IDS
from keras_fasterseg.serving.tensorflow_serving_repository import BatchingParameters
from keras_fasterseg.serving.versions import versions

CONFIG = "config.pbtxt"

# Triton's word for a size that is free.
_FREE = -1
# In place of a free one; any that is at least 32 does.
_WARMUP_SIZE = 256


def add_onnx(artefact: Artefact, target: pathlib.Path, batching: BatchingParameters) -> None:
    """Copies the ONNX model to the version folder `target` and writes the model's config.pbtxt.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime, which reads the sizes, is not installed.
        ValueError: The file is damaged or was not exported by this package, or its sizes or
            outputs are not those of the versions that are there.
    """
    runner = OnnxRuntimeRunner(artefact.path)
    model = target.parent
    text = triton_config(runner, model.name, artefact.metadata.get("num_classes"), batching)
    config = model / CONFIG
    others = [version for version in versions(model) if str(version) != target.name]
    if others and config.is_file() and config.read_text(encoding="utf-8") != text:
        raise ValueError(
            f"{config} speaks for all versions, and this one needs another: its sizes, outputs or "
            "batching differ. Give it a name of its own with --name."
        )
    with atomic_path(target) as temporary:
        temporary.mkdir()
        shutil.copyfile(artefact.path, temporary / GRAPH_FILES[ONNX])
        if artefact.metadata:
            shutil.copyfile(artefact.path.parent / MANIFEST, temporary / MANIFEST)
    write_text(config, text)


def triton_config(
    runner: Runner, name: str, num_classes: int | None, batching: BatchingParameters
) -> str:
    """The config.pbtxt of a model.

    Args:
        runner: Tells the sizes and the outputs of the ONNX model.
        name: By which clients will ask for the model.
        num_classes: Channels of the logits; None leaves them open.
        batching: Is of use if the model takes every number of images, else left out.
    """
    size = runner.input_size or (_FREE, _FREE)
    # Triton's max_batch_size puts a free axis before the dims; with 0 they are all there is.
    batch = [] if runner.batch_size is None else [runner.batch_size]
    shape = [*batch, *size]
    warmup = [*batch, *(_WARMUP_SIZE if side == _FREE else side for side in size), 3]
    outputs = [
        ("TYPE_UINT8", shape) if output == CLASS_IDS else ("TYPE_FP32", [*shape, num_classes or -1])
        for output in runner.outputs
    ]
    lines = [
        f'name: "{name}"',
        'backend: "onnxruntime"',
        f'default_model_filename: "{GRAPH_FILES[ONNX]}"',
        f"max_batch_size: {0 if batch else batching.max_batch_size}",
        f"input [ {_tensor(INPUT_NAME, 'TYPE_UINT8', [*shape, 3])} ]",
        *(
            f"output [ {_tensor(output, *form)} ]"
            for output, form in zip(runner.outputs, outputs, strict=True)
        ),
        "version_policy { latest { num_versions: 1 } }",
        'model_warmup [ { name: "first" '
        f"batch_size: {0 if batch else 1} "
        f'inputs {{ key: "{INPUT_NAME}" value {{ data_type: TYPE_UINT8 dims: {warmup} '
        "zero_data: true } } } ]",
    ]
    if not batch:
        delay = round(1e3 * batching.timeout_ms)
        lines.append(f"dynamic_batching {{ max_queue_delay_microseconds: {delay} }}")
    return "\n".join(lines) + "\n"


def _tensor(name: str, data_type: str, dims: list[int]) -> str:
    return f'{{ name: "{name}" data_type: {data_type} dims: {dims} }}'
