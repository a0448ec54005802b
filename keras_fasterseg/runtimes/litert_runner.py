"""Runs an exported LiteRT (formerly TensorFlow Lite) model on the CPU."""

import importlib
from typing import Any

import numpy as np

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import LITERT
from keras_fasterseg.runtimes.file_runner import FileRunner
from keras_fasterseg.runtimes.installed_version import (
    UNKNOWN,
    installed_version,
    runtime_module,
)
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME

_PACKAGE = "ai_edge_litert"

# LiteRT's default: its delegate XNNPACK then starts no further threads.
_DEFAULT_THREADS = 1


class LiteRtRunner(FileRunner):
    """Uses the interpreter of ai-edge-litert, or else the older one inside TensorFlow.

    Both run convolutions in XNNPACK by default.

    Args:
        path: The file or the folder of the export.
        threads: Threads inside an operation; None uses LiteRT's default, one.

    Raises:
        ValueError: See `FileRunner`.
    """

    runtime = "litert"
    formats = (LITERT,)

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        super().__init__(path, threads)
        self._interpreter: Any = None
        self._indices: dict[str, int] = {}

    def load(self) -> None:
        if self._interpreter is not None:
            return
        try:
            interpreter = interpreter_class()(str(self.path), num_threads=self._threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._damaged(error) from error
        inputs, outputs = _indices(interpreter)
        details = {each["index"]: each for each in interpreter.get_input_details()}
        self._set_interface(
            {
                name: (
                    [int(side) for side in details[index]["shape"]],
                    details[index]["dtype"] == np.uint8,
                )
                for name, index in inputs.items()
            },
            list(outputs),
        )
        self._indices = {**inputs, **outputs}
        self._interpreter = interpreter

    def synchronize(self) -> None:
        """Does nothing: a call returns when its outputs are computed."""

    def _infer(self, images: np.ndarray, output: str) -> Any:
        self._interpreter.set_tensor(self._indices[INPUT_NAME], images)
        self._interpreter.invoke()
        return self._indices[output]

    def _fetch(self, handle: Any) -> np.ndarray:
        return self._interpreter.get_tensor(handle)

    def _version(self) -> str:
        return installed_version("litert") or UNKNOWN

    def _used_threads(self) -> int:
        return self._threads or _DEFAULT_THREADS

    def _device(self) -> str:
        return "CPU"


def interpreter_class() -> Any:
    """The interpreter of ai-edge-litert, or else the one inside TensorFlow."""
    if runtime_module("litert") == _PACKAGE:
        return importlib.import_module(f"{_PACKAGE}.interpreter").Interpreter
    import tensorflow as tf

    return tf.lite.Interpreter


def _indices(interpreter: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Tensor indices of inputs and outputs by signature name; empty without a signature."""
    for runner in map(interpreter.get_signature_runner, interpreter.get_signature_list()):
        details = runner.get_input_details(), runner.get_output_details()
        inputs, outputs = ({name: each["index"] for name, each in d.items()} for d in details)
        return inputs, outputs
    return {}, {}
