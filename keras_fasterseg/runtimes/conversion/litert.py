"""Converts a traced TensorFlow function to a LiteRT (formerly TensorFlow Lite) model."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from keras_fasterseg.runtimes.conversion.onnx import output_names
from keras_fasterseg.runtimes.litert_runner import interpreter_class

SIGNATURE = "serving_default"
"""The model's signature, which gives inputs and outputs their names."""


def litert_model(function: Any, half_weights: bool = False) -> bytes:
    """`function` as a LiteRT model (a flatbuffer), in the same precision.

    Args:
        function: A `tf.types.experimental.ConcreteFunction` of static shapes that returns a
            dictionary of tensors. The signature `serving_default` keeps the names of inputs and
            outputs.
        half_weights: Whether to store weights in float16, at half the size; the CPU still computes
            in float32.

    Raises:
        ValueError: LiteRT lacks an operation of the function, or the outputs have no names.
    """
    converter = _converter(function)
    if half_weights:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter)


def integer_litert_model(function: Any, images: Iterable[np.ndarray]) -> bytes:
    """`function` as a LiteRT model that computes in integers only, for NPUs.

    Weights are int8, with one scale per channel. Activations are int8, with ranges found on
    `images`. The model accepts uint8 images directly.

    Args:
        function: As for `litert_model`. Its only input is float32 images with values in [0, 255];
            its outputs are integers.
        images: Real images, uint8, in the shape of the input.

    Raises:
        ValueError: As for `litert_model`; or an operation still computes in floats.
    """
    converter = _converter(function)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8

    def representative() -> Any:
        for number, image in enumerate(images):
            image = image.astype(np.float32)
            if not number:
                # The full range of bytes, so that the input's scale is one.
                image[:, 0, 0], image[:, 0, 1] = 0.0, 255.0
            yield [image]

    converter.representative_dataset = representative
    model = _converted(converter)
    left = float_operators(model)
    if left:
        raise ValueError(
            f"LiteRT cannot compute {', '.join(left)} of this network in integers; export it in "
            "fp32 or fp16."
        )
    return model


def float_operators(model: bytes) -> tuple[str, ...]:
    """Types of operators in a LiteRT model with float inputs or outputs, sorted."""
    # Tensors are not allocated: allocation lets XNNPACK merge operators.
    interpreter = interpreter_class()(model_content=model)
    floats = {
        each["index"]
        for each in interpreter.get_tensor_details()
        if np.issubdtype(each["dtype"], np.floating)
    }
    operators = interpreter._get_ops_details()
    return tuple(
        sorted(
            {each["op_name"] for each in operators if floats & {*each["inputs"], *each["outputs"]}}
        )
    )


def _converter(function: Any) -> Any:
    output_names(function)
    # The converter looks for the variables in a trackable object.
    owner = tf.Module()
    owner.held = list(function.variables)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], owner)


def _converted(converter: Any) -> bytes:
    try:
        return converter.convert()
    except (ConverterError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"The function cannot be converted to LiteRT: {reason}.") from error
