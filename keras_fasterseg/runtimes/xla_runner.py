"""Runs an exported SavedModel compiled by XLA."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME, SIGNATURES
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner


class XlaRunner(SavedModelRunner):
    """The artefact of `SavedModelRunner`; every new shape of images is compiled at its first call.

    Args:
        path: The SavedModel's folder, such as `export/student/1`.
        threads: As for `SavedModelRunner`.

    Raises:
        ValueError: See `SavedModelRunner`.
    """

    runtime = "xla"

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        super().__init__(path, threads)
        self._functions: dict[str, Any] = {}

    def load(self) -> None:
        super().load()
        if not self._functions:
            self._functions = {output: self._compiled(output) for output in SIGNATURES}

    def _infer(self, images: np.ndarray, output: str) -> Any:
        return self._functions[output](tf.constant(images))

    def _compiled(self, output: str) -> Any:
        signature = self._loaded.signatures[SIGNATURES[output]]

        def run(images: tf.Tensor) -> tf.Tensor:
            return signature(**{INPUT_NAME: images})[output]

        return tf.function(run, autograph=False, jit_compile=True)
