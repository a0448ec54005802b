"""Runs exported networks of video object segmentation."""

from typing import Any

import numpy as np

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import ONNX, SAVED_MODEL, Artefact, find_artefact
from keras_fasterseg.runtimes.onnx_file import check_self_contained
from keras_fasterseg.runtimes.onnxruntime_pool import loading_errors, session_options
from keras_fasterseg.runtimes.optional_import import optional_import
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.video_objects.network import check_object_sizes
from keras_fasterseg.video_objects.object_heads import FOREGROUND_STRIDE, MASK_SIDE, STRIDE
from keras_fasterseg.video_objects.object_runner import OUTPUTS, ObjectRunner

_SIGNATURE = "serving_default"


def open_exported_objects(path: PathLike, threads: int | None = None) -> ObjectRunner:
    """Opens an export in the runtime of its format: TensorFlow or ONNX Runtime.

    Args:
        path: The folder of the export, or its `model.onnx`.
        threads: Threads inside an operation of ONNX Runtime; None uses one per physical core.

    Raises:
        FileNotFoundError: The export does not exist.
        RuntimeNotInstalledError: The runtime is not installed.
        ValueError: It is another kind of export, or damaged.
    """
    artefact = find_artefact(path)
    if artefact.format == SAVED_MODEL:
        return SavedModelObjectRunner(artefact)
    if artefact.format == ONNX:
        return OnnxObjectRunner(artefact, threads)
    raise ValueError(
        f"{path} is {artefact.format}; a network of video object segmentation is exported to "
        f"{SAVED_MODEL} or {ONNX}."
    )


class SavedModelObjectRunner(ObjectRunner):
    """Runs a SavedModel with TensorFlow.

    Args:
        artefact: The export.

    Raises:
        ValueError: It is damaged, or not an export of this kind.
    """

    def __init__(self, artefact: Artefact) -> None:
        import tensorflow as tf

        try:
            # Kept, because the signatures do not keep their variables alive.
            self._loaded: Any = tf.saved_model.load(str(artefact.path))
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise _damaged(artefact, error) from error
        self._function = self._loaded.signatures.get(_SIGNATURE)
        if self._function is None:
            raise _foreign(artefact, {}, ())
        inputs = {
            name: (spec.shape.as_list(), spec.dtype == tf.uint8)
            for name, spec in self._function.structured_input_signature[1].items()
        }
        outputs = {
            name: each.shape.as_list() for name, each in self._function.structured_outputs.items()
        }
        self.network_size = _network_size(artefact, inputs, outputs)
        self._artefact, self._version = artefact, f"tensorflow {tf.__version__}"

    def infer(self, images: np.ndarray) -> dict[str, np.ndarray]:
        import tensorflow as tf

        outputs = self._function(**{INPUT_NAME: tf.constant(images)})
        return {name: outputs[name].numpy() for name in OUTPUTS}

    def describe(self) -> dict[str, object]:
        from keras_fasterseg.runtimes import tensorflow_device

        return _described(
            self._artefact,
            SAVED_MODEL,
            self._version,
            tensorflow_device.intra_op_threads(),
            tensorflow_device.device_name(),
        )


class OnnxObjectRunner(ObjectRunner):
    """Runs an ONNX file with ONNX Runtime on the CPU.

    Args:
        artefact: The export.
        threads: Threads inside an operation; None uses one per physical core.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
        ValueError: It is damaged, or not an export of this kind.
    """

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        onnxruntime = optional_import("onnxruntime", ONNX, "ONNX Runtime's runner")
        check_self_contained(artefact.path)
        options, self._threads = session_options(threads)
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(artefact.path), options, providers=["CPUExecutionProvider"]
            )
        except loading_errors() as error:
            raise _damaged(artefact, error) from error
        inputs = {
            each.name: (each.shape, each.type == "tensor(uint8)")
            for each in self._session.get_inputs()
        }
        outputs = {each.name: each.shape for each in self._session.get_outputs()}
        self.network_size = _network_size(artefact, inputs, outputs)
        self._artefact, self._version = artefact, f"onnxruntime {onnxruntime.__version__}"

    def infer(self, images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = self._session.run(list(OUTPUTS), {INPUT_NAME: np.ascontiguousarray(images)})
        return dict(zip(OUTPUTS, outputs, strict=True))

    def describe(self) -> dict[str, object]:
        return _described(self._artefact, "onnxruntime", self._version, self._threads, "CPU")


def _network_size(artefact: Artefact, inputs: Any, outputs: Any) -> tuple[int, int]:
    """Height and width of the graph's images, after checking its inputs and outputs."""
    shape, is_bytes = inputs.get(INPUT_NAME, ((), False))
    if len(inputs) != 1 or not is_bytes or not {*OUTPUTS} <= {*outputs}:
        raise _foreign(artefact, inputs, outputs)
    if len(shape) != 4 or (shape[0], shape[3]) != (1, 3):
        raise _foreign(artefact, inputs, outputs)
    height, width = shape[1:3]
    objects, channels = ([None, *outputs[name]][-1] for name in ("scores", "embedding_map"))
    try:
        check_object_sizes([height, width], objects)
    except ValueError as error:
        raise _damaged(artefact, error) from error
    expected = {
        "scores": [1, objects],
        "boxes": [1, objects, 4],
        "masks": [1, objects, MASK_SIDE, MASK_SIDE],
        "embeddings": [1, objects, channels],
        "embedding_map": [1, height // STRIDE, width // STRIDE, channels],
        "foreground": [1, height // FOREGROUND_STRIDE, width // FOREGROUND_STRIDE],
    }
    for name, sides in expected.items():
        if [*outputs[name]] != sides:
            raise _damaged(
                artefact, f"its output {name} has the shape {outputs[name]}, not {sides}"
            )
    return height, width


def _described(
    artefact: Artefact, runtime: str, version: str, threads: int, device: str
) -> dict[str, object]:
    return {
        "runtime": runtime,
        "version": version,
        "precision": artefact.metadata.get("precision", "unknown"),
        "threads": threads,
        "device": device,
        "artefact_sha256": artefact.digest(),
    }


def _foreign(artefact: Artefact, inputs: Any, outputs: Any) -> ValueError:
    return ValueError(
        f"{artefact.path} is not an exported network of video object segmentation: it must have "
        f"the uint8 input {INPUT_NAME} of a fixed size, and the outputs {', '.join(OUTPUTS)}. "
        f"Received: inputs {', '.join(inputs) or 'none'}; outputs {', '.join(outputs) or 'none'}"
    )


def _damaged(artefact: Artefact, error: object) -> ValueError:
    reason = str(error).strip().partition("\n")[0]
    return ValueError(f"{artefact.path} cannot be loaded; export it again. ({reason})")
