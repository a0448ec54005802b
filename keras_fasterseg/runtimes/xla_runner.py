"""Runs an exported SavedModel compiled by XLA."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.files import PathLike
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME, SIGNATURES
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner

# TensorFlow's translation of a bilinear resize with aligned corners is wrong where the intervals
# between the new pixels divide those between the old ones, of which there are several. The last
# resize, by 8, does that at one size only: from 8 pixels, 7 intervals, to 64 pixels, 63 intervals.
_WRONG_SIZE = 64


class XlaRunner(SavedModelRunner):
    """The artefact of `SavedModelRunner`; every new shape of images is compiled at its first call.

    Args:
        path: The SavedModel's folder, such as `export/student/1`.
        threads: As for `SavedModelRunner`.

    Raises:
        ValueError: See `SavedModelRunner`. `infer` raises it for images with a side that is padded
            to 64, where TensorFlow's XLA answers wrongly.
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
                f"XLA resizes images wrongly whose height or width is {_WRONG_SIZE} after padding "
                f"to multiples of {SIZE_MULTIPLE}; take another size or the runtime saved_model. "
                f"Received: {sides[0]}x{sides[1]}"
            )
        return self._functions[output](tf.constant(images))

    def _compiled(self, output: str) -> Any:
        signature = self._loaded.signatures[SIGNATURES[output]]

        def run(images: tf.Tensor) -> tf.Tensor:
            return signature(**{INPUT_NAME: images})[output]

        return tf.function(run, autograph=False, jit_compile=True)
