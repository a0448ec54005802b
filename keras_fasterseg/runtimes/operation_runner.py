"""Runs single operations on TensorFlow, for a latency table."""

from typing import Any

import keras
import tensorflow as tf

from keras_fasterseg.runtimes import tensorflow_device


class TensorFlowOperationRunner:
    """Runs a model as one traced function, in inference mode, on float32 features."""

    def __init__(self):
        self._function = None

    def load(self, model: keras.Model) -> None:
        """Traces `model`, whose input has a static shape."""

        def run(inputs):
            return model(inputs, training=False)

        specification = tf.TensorSpec(model.inputs[0].shape, "float32")
        self._model = model
        self._function = tf.function(run, autograph=False).get_concrete_function(specification)

    def __call__(self, inputs: Any) -> Any:
        """Runs the model on `inputs` `(1, height, width, channels)`.

        Raises:
            RuntimeError: No model is loaded.
        """
        if self._function is None:
            raise RuntimeError("No operation is loaded; call `load(model)` first.")
        return self._function(inputs)

    def synchronize(self) -> None:
        """Waits until all runs that were started are finished."""
        tensorflow_device.synchronize()
