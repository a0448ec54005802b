"""Prepares the ONNX model from which a TensorRT engine is built."""

import pathlib
from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.conversion.floats_inside import floats_inside
from keras_fasterseg.runtimes.conversion.half_precision import computes_in_half, half_precision
from keras_fasterseg.runtimes.onnx_file import check_self_contained
from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx

FP32, FP16, INT8 = "fp32", "fp16", "int8"
PRECISIONS = (FP32, FP16, INT8)

_QUANTIZED = {"QuantizeLinear", "DequantizeLinear"}


def tensorrt_source(
    path: pathlib.Path, precision: str, *, strongly_typed: bool
) -> "onnx.ModelProto":
    """The model in the file `path`, in `precision` and ready for TensorRT.

    Args:
        path: An ONNX file for one image size.
        precision: One of `PRECISIONS`.
        strongly_typed: Whether TensorRT computes in the model's own types. If so, a float32 model
            is converted for `fp16`.

    Raises:
        FileNotFoundError: The file does not exist.
        RuntimeNotInstalledError: onnx, or the float16 converter, is not installed.
        ValueError: The file is not an ONNX model, accepts images of several sizes, or does not
            match the precision.
    """
    model = _read(path)
    free = [each.name for each in model.graph.input if None in _shape(each)]
    if free:
        raise ValueError(
            f"{path} has free sizes in {', '.join(free)}, but an engine is built for one size; "
            "export the network with --input_size."
        )
    in_half = computes_in_half(model)
    quantized = any(node.op_type in _QUANTIZED for node in model.graph.node)
    if precision == INT8 and not quantized:
        raise ValueError(
            f"{path} is not quantised (it has no QuantizeLinear), so no int8 engine can be built "
            "from it; quantise it first, with `symmetric=True`."
        )
    if precision != INT8 and quantized:
        raise ValueError(f"{path} is quantised; build an engine with precision int8.")
    if quantized and not _is_symmetric(model):
        raise ValueError(
            f"{path} has uint8 or nonzero zero points, but TensorRT supports only int8 around "
            "zero; quantise it with `symmetric=True`."
        )
    if precision == FP32 and in_half:
        raise ValueError(f"{path} is in float16; build an engine with precision fp16.")
    if precision == FP16 and strongly_typed and not in_half:
        model = half_precision(model)
    return floats_inside(model)


def _read(path: pathlib.Path) -> Any:
    onnx = optional_import("onnx", "onnx", "Building an engine")
    protobuf = optional_import("google.protobuf.message", "onnx", "Building an engine")
    if not path.is_file():
        raise FileNotFoundError(f"The ONNX file {path} does not exist.")
    check_self_contained(path)
    damaged = f"{path} is not an ONNX model or is damaged; export the network again."
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except protobuf.DecodeError as error:
        raise ValueError(damaged) from error
    # An empty file, and many files in other formats, parse as an empty model.
    if not model.graph.node or not model.graph.input or not model.graph.output:
        raise ValueError(damaged)
    return model


def _is_symmetric(model: Any) -> bool:
    """True if all quantised values are signed and centred on zero."""
    onnx = optional_import("onnx", "onnx", "Building an engine")
    names = {n.input[2] for n in model.graph.node if n.op_type in _QUANTIZED and len(n.input) > 2}
    # Without a zero point a node quantises to uint8.
    if any(n.op_type == "QuantizeLinear" and len(n.input) < 3 for n in model.graph.node):
        return False
    zero_points = [each for each in model.graph.initializer if each.name in names]
    return all(
        each.data_type != onnx.TensorProto.UINT8 and not onnx.numpy_helper.to_array(each).any()
        for each in zero_points
    )


def _shape(value: Any) -> list[int | None]:
    return [
        side.dim_value if side.HasField("dim_value") else None
        for side in value.type.tensor_type.shape.dim
    ]
