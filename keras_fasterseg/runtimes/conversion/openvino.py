"""From a traced TensorFlow function to an OpenVINO model."""

from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from keras_fasterseg.runtimes.conversion.onnx_copies import onnx_copies
from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import openvino


def openvino_model(function: Any, copies: int = 1) -> "openvino.Model":
    """The OpenVINO model that computes what `function` computes, in its precision.

    It is made by way of ONNX: `openvino.convert_model` reads TensorFlow too, but starts about
    twenty processes for usage statistics at every call, which disturb whatever is measured next.

    Args:
        function: As for `onnx_model`; names of inputs and outputs are kept.
        copies: See `onnx_copies`.

    Raises:
        RuntimeNotInstalledError: OpenVINO or tf2onnx is not installed.
        ValueError: See `onnx_model`.
    """
    openvino = optional_import("openvino", "openvino", "Converting to OpenVINO")
    return openvino.Core().read_model(onnx_copies(onnx_model(function), copies).SerializeToString())
