"""Runs an exported SavedModel with plain TensorFlow."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes import tensorflow_device
from keras_fasterseg.runtimes.base import Runner, genotype_fact
from keras_fasterseg.runtimes.saved_model_format import (
    CLASS_IDS_SIGNATURE,
    INPUT_NAME,
    OUTPUT_NAMES,
    SIGNATURES,
    artefact_digest,
    is_saved_model,
    read_metadata,
)


class SavedModelRunner(Runner):
    """Runs the SavedModel itself, as TensorFlow Serving loads it.

    Args:
        path: The SavedModel's folder, such as `export/student/1`.
        threads: Threads inside an operation. None uses TensorFlow's current number; another number
            must be set before TensorFlow's first operation.

    Raises:
        ValueError: `path` is not a SavedModel; or TensorFlow can no longer change to `threads`.
            `load` raises it for a SavedModel that is damaged or was not exported by this package.
    """

    runtime = "saved_model"

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        self.path = pathlib.Path(path)
        if not is_saved_model(self.path):
            raise ValueError(_nothing_at(self.path))
        self._metadata = read_metadata(self.path)
        tensorflow_device.request_threads(threads)
        # Kept, because the signatures do not keep their variables alive.
        self._loaded: Any = None
        self._input_shape: tuple[int | None, ...] = (None, None, None, 3)

    @property
    def input_size(self) -> tuple[int, int] | None:
        self.load()
        _, height, width, _ = self._input_shape
        return None if height is None or width is None else (height, width)

    @property
    def batch_size(self) -> int | None:
        self.load()
        return self._input_shape[0]

    def load(self) -> None:
        if self._loaded is None:
            self._loaded = load_saved_model(self.path)
            self._input_shape = input_shape(self._loaded)

    def synchronize(self) -> None:
        tensorflow_device.synchronize()

    def describe(self) -> dict[str, object]:
        # The digest proves that an accuracy and a frame rate belong to the same artefact.
        return {
            "runtime": self.runtime,
            "version": f"tensorflow {tf.__version__}",
            "precision": self._metadata.get("precision", "unknown"),
            "threads": tensorflow_device.intra_op_threads(),
            "device": tensorflow_device.device_name(),
            "artefact_sha256": artefact_digest(self.path),
            **genotype_fact(self._metadata),
        }

    def _infer(self, images: np.ndarray, output: str) -> Any:
        signature = SIGNATURES[output]
        return self._loaded.signatures[signature](**{INPUT_NAME: tf.constant(images)})[output]

    def _fetch(self, handle: Any) -> np.ndarray:
        return handle.numpy()


def load_saved_model(path: PathLike) -> Any:
    """The SavedModel of this package at `path`, as `tf.saved_model.load` returns it.

    Raises:
        ValueError: `path` is not a SavedModel, is damaged, or was not exported by this package.
    """
    path = pathlib.Path(path)
    loaded = _load(path)
    _check_signatures(path, loaded.signatures)
    return loaded


def input_shape(loaded: Any) -> tuple[int | None, ...]:
    """Input shape of a loaded SavedModel: batch, height, width and channels; None if free."""
    (images,) = loaded.signatures[CLASS_IDS_SIGNATURE].structured_input_signature[1].values()
    return tuple(images.shape)


def _load(path: pathlib.Path) -> Any:
    if not is_saved_model(path):
        raise ValueError(_nothing_at(path))
    try:
        return tf.saved_model.load(str(path))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise ValueError(
            f"The SavedModel at {path} cannot be loaded; export it again. ({error})"
        ) from error


def _nothing_at(path: pathlib.Path) -> str:
    return (
        f"No SavedModel at {path}: pass the folder that holds saved_model.pb, such as "
        "export/student/1."
    )


def _check_signatures(path: pathlib.Path, signatures: Any) -> None:
    """Raises ValueError unless every signature has the names and dtypes of this package."""
    expected = {name: ([(INPUT_NAME, "uint8")], [output]) for name, output in OUTPUT_NAMES.items()}
    received = {name: _form(function) for name, function in signatures.items()}
    if any(received.get(name) != form for name, form in expected.items()):
        raise ValueError(
            f"The SavedModel at {path} was not exported by keras_fasterseg: its signatures must "
            f"include {_spell(expected)}. Received: {_spell(received) or 'none'}"
        )


def _form(function: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Names and dtypes of a signature's inputs, and names of its outputs."""
    inputs = function.structured_input_signature[1]
    return [(name, spec.dtype.name) for name, spec in inputs.items()], [
        *function.structured_outputs
    ]


def _spell(signatures: dict[str, tuple[list[tuple[str, str]], list[str]]]) -> str:
    return ", ".join(
        f"{name}({', '.join(f'{key}: {dtype}' for key, dtype in inputs)}) -> {', '.join(outputs)}"
        for name, (inputs, outputs) in signatures.items()
    )
