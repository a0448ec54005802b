"""From a traced TensorFlow function to a LiteRT (formerly TensorFlow Lite) model."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from keras_fasterseg.runtimes.conversion.onnx import output_names
from keras_fasterseg.runtimes.litert_runner import interpreter_class

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
    converter = _converter(function)
    if half_weights:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter)


def integer_litert_model(function: Any, images: Iterable[np.ndarray]) -> bytes:
    """The LiteRT model that computes what `function` computes in integers alone, for NPUs.

    Weights are int8, one scale a channel; activations are int8 in the range that they have on
    `images`. The model takes the bytes of images as they are, uint8.

    Args:
        function: As for `litert_model`, whose one input are images in float32, of values in
            [0, 255], and whose outputs are integers.
        images: Real images, uint8, as the input is shaped.

    Raises:
        ValueError: As for `litert_model`, or something is left that computes in floats.
    """
    converter = _converter(function)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8

    def representative() -> Any:
        for number, image in enumerate(images):
            image = image.astype(np.float32)
            if not number:
                # The range of bytes, so that the input is them and not a multiple of them.
                image[:, 0, 0], image[:, 0, 1] = 0.0, 255.0
            yield [image]

    converter.representative_dataset = representative
    model = _converted(converter)
    left = float_operators(model)
    if left:
        raise ValueError(
            f"LiteRT has no integers for {', '.join(left)} of this network; export it in fp32 or "
            "fp16."
        )
    return model


def float_operators(model: bytes) -> tuple[str, ...]:
    """The kinds of operators in a LiteRT model that take or give floats, sorted."""
    # Not allocated, which is when XNNPACK joins operators.
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
    # The converter looks for the variables in an object that it can save.
    owner = tf.Module()
    owner.held = list(function.variables)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], owner)


def _converted(converter: Any) -> bytes:
    try:
        return converter.convert()
    except (ConverterError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"The function cannot be written for LiteRT: {reason}.") from error
