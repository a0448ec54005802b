"""Runs an exported SavedModel compiled by XLA."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.files import PathLike
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME, SIGNATURES
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner

# TensorFlow's XLA computes bilinear resizes with aligned corners wrongly if `new - 1` is a multiple
# of `old - 1` and old is above 2 (seen with TensorFlow 2.21: 4 to 16 and 8 to 64). In our networks,
# only the last resize, by 8, can be of this kind, and only from 8 to 64 pixels.
_WRONG_SIZE = 64


class XlaRunner(SavedModelRunner):
    """Runs the artefact of `SavedModelRunner`, compiled at the first call with each image shape.

    Args:
        path: The SavedModel's folder, such as `export/student/1`.
        threads: As for `SavedModelRunner`.

    Raises:
        ValueError: See `SavedModelRunner`. `infer` raises it for images with a side that is padded
            to 64, for which TensorFlow's XLA gives wrong results.
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
        sides = images.shape[1:3]
        if any(side + -side % SIZE_MULTIPLE == _WRONG_SIZE for side in sides):
            raise ValueError(
                f"XLA resizes wrongly if height or width of the images is {_WRONG_SIZE} after "
                f"padding to multiples of {SIZE_MULTIPLE}; use another size or the runtime "
                "saved_model. "
                f"Received: {sides[0]}x{sides[1]}"
            )
        return self._functions[output](tf.constant(images))

    def _compiled(self, output: str) -> Any:
        signature = self._loaded.signatures[SIGNATURES[output]]

        def run(images: tf.Tensor) -> tf.Tensor:
            return signature(**{INPUT_NAME: images})[output]

        return tf.function(run, autograph=False, jit_compile=True)
