"""The ONNX model that an engine of TensorRT is built of."""

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
            "of it; quantise it first, around zero."
        )
    if precision != INT8 and quantized:
        raise ValueError(f"{path} is quantised; build an engine of precision int8 of it.")
    if quantized and not _is_symmetric(model):
        raise ValueError(
            f"{path} has uint8 or zero points other than 0, and TensorRT runs int8 around zero "
            "only; quantise it with `symmetric=True`."
        )
    if precision == FP32 and in_half:
        raise ValueError(f"{path} is in float16; build an engine of precision fp16 of it.")
    if precision == FP16 and strongly_typed and not in_half:
        model = half_precision(model)
    return floats_inside(model)


def _read(path: pathlib.Path) -> Any:
    onnx = optional_import("onnx", "onnx", "Building an engine")
    protobuf = optional_import("google.protobuf.message", "onnx", "Building an engine")
    if not path.is_file():
        raise FileNotFoundError(f"There is no ONNX file {path}.")
    check_self_contained(path)
    damaged = f"{path} is not an ONNX model or is damaged; export the network again."
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except protobuf.DecodeError as error:
        raise ValueError(damaged) from error
    # An empty file, and much that is none, reads as a model without anything in it.
    if not model.graph.node or not model.graph.input or not model.graph.output:
        raise ValueError(damaged)
    return model


def _is_symmetric(model: Any) -> bool:
    """Whether all that is quantised is signed and centred on zero."""
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
