"""From a traced TensorFlow function to a LiteRT (formerly TensorFlow Lite) model."""

from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from keras_fasterseg.runtimes.conversion.onnx import output_names

SIGNATURE = "serving_default"
"""The signature of the model, by which inputs and outputs are addressed with their names."""


def litert_model(function: Any, half_weights: bool = False) -> bytes:
    """The LiteRT model (a flatbuffer) that computes what `function` computes, in its precision.

    Args:
        function: A `tf.types.experimental.ConcreteFunction` of static shapes that returns a
            dictionary of tensors; names of inputs and outputs are kept in the signature
            `serving_default`.
        half_weights: Whether weights are kept in float16, half as large; the CPU computes in
            float32 all the same.

    Raises:
        ValueError: The function has an operation that LiteRT has not, or its outputs have no names.
    """
    output_names(function)
    # The converter looks for the variables in an object that it can save.
    owner = tf.Module()
    owner.held = list(function.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
    if half_weights:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except ConverterError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"The function cannot be written for LiteRT: {reason}.") from error
