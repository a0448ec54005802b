"""The ONNX model that an engine of TensorRT is built of."""

import pathlib
from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.conversion.byte_outputs import bytes_from_floats
from keras_fasterseg.runtimes.conversion.half_precision import computes_in_half, half_precision
from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx

FP32, FP16, INT8 = "fp32", "fp16", "int8"
PRECISIONS = (FP32, FP16, INT8)

_QUANTIZED = {"QuantizeLinear", "DequantizeLinear"}


def tensorrt_source(
    path: pathlib.Path, precision: str, *, strongly_typed: bool
) -> "onnx.ModelProto":
    """The model in the file `path`, in `precision` and fit for TensorRT.

    Args:
        path: An ONNX file for one size of images.
        precision: One of `PRECISIONS`.
        strongly_typed: Whether the model's own types decide in what it is computed: then a float32
            model is converted for `fp16`.

    Raises:
        FileNotFoundError: There is no such file.
        RuntimeNotInstalledError: onnx, or what converts to float16, is not installed.
        ValueError: The file is no ONNX model, takes images of several sizes, or does not go with
            the precision.
    """
    model = _read(path)
    free = [each.name for each in model.graph.input if None in _shape(each)]
    if free:
        raise ValueError(
            f"{path} leaves sizes of {', '.join(free)} open, and an engine is built for one size; "
            "export the network with --input_size."
        )
    in_half = computes_in_half(model)
    quantized = any(node.op_type in _QUANTIZED for node in model.graph.node)
    if precision == INT8 and not quantized:
        raise ValueError(
            f"{path} is not quantised (it has no QuantizeLinear), so no int8 engine can be built "
            "of it; export it with --precision=int8."
        )
    if precision != INT8 and quantized:
        raise ValueError(f"{path} is quantised; build an engine of precision int8 of it.")
    if precision == FP32 and in_half:
        raise ValueError(f"{path} is in float16; build an engine of precision fp16 of it.")
    if precision == FP16 and strongly_typed and not in_half:
        model = half_precision(model)
    return bytes_from_floats(model)


def _read(path: pathlib.Path) -> Any:
    onnx = optional_import("onnx", "onnx", "Building an engine")
    protobuf = optional_import("google.protobuf.message", "onnx", "Building an engine")
    if not path.is_file():
        raise FileNotFoundError(f"There is no ONNX file {path}.")
    damaged = f"{path} is not an ONNX model or is damaged; export the network again."
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except protobuf.DecodeError as error:
        raise ValueError(damaged) from error
    # An empty file, and much that is none, reads as a model without anything in it.
    if not model.graph.node or not model.graph.input or not model.graph.output:
        raise ValueError(damaged)
    return model


def _shape(value: Any) -> list[int | None]:
    return [
        side.dim_value if side.HasField("dim_value") else None
        for side in value.type.tensor_type.shape.dim
    ]
