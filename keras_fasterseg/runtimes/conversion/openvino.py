"""Converts a traced TensorFlow function to an OpenVINO model."""

from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from keras_fasterseg.runtimes.conversion.onnx_copies import onnx_copies
from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import openvino


def openvino_model(function: Any, copies: int = 1) -> "openvino.Model":
    """`function` as an OpenVINO model, in the same precision.

    The conversion goes through ONNX. `openvino.convert_model` also reads TensorFlow, but each call
    starts about twenty processes for usage statistics, which disturb the next measurement.

    Args:
        function: As for `onnx_model`; inputs and outputs keep their names.
        copies: See `onnx_copies`.

    Raises:
        RuntimeNotInstalledError: OpenVINO or tf2onnx is not installed.
        ValueError: See `onnx_model`.
    """
    openvino = optional_import("openvino", "openvino", "Converting to OpenVINO")
    return openvino.Core().read_model(onnx_copies(onnx_model(function), copies).SerializeToString())
