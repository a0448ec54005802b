"""Reads the latency table released by FasterSeg's authors (GTX 1080Ti, TensorRT 5.1.5)."""

import dataclasses
import re

from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata

_OPERATIONS = {
    "FactorizedReduce": "skip",
    "BasicResidual1x": "conv",
    "BasicResidual_downup_1x": "conv_downup",
    "BasicResidual2x": "conv_2x",
    "BasicResidual_downup_2x": "conv_2x_downup",
    "ff": "fusion",
    "head": "head",
}
_CONVOLUTIONS = {"1": "conv_bn_relu_1x1", "3": "conv_bn_relu_3x3"}

# Non-greedy, because names of operations also contain underscores and digits.
_NAME = re.compile(r"(?P<operation>\w+?)_H(?P<height>\d+)_W(?P<width>\d+)_(?P<fields>\w+)")
_FIELD = re.compile(r"([A-Za-z]+)(\d+)")

_METADATA = TableMetadata(
    space="fasterseg",
    input_size=(1024, 2048),
    fingerprint=Fingerprint(
        device="NVIDIA GeForce GTX 1080 Ti",
        runtime="tensorrt",
        runtime_version="5.1.5",
        precision="float32",
        threads=None,
        harness_version=0,
    ),
)


def is_released_table(path: PathLike) -> bool:
    """True if `path` is a JSON file with an object `table`, like the released table."""
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and isinstance(value.get("table"), dict)


def load_released_table(path: PathLike) -> LatencyTable:
    """Loads the released latency table for images of 1024×2048, converted from JSON.

    The file is an object. Its `table` maps released names of operations, such as
    `BasicResidual2x_H128_W256_Cin32_Cout64_stride2_dilation1`, to milliseconds. Only one number per
    operation was released, so rows have no spread and `repetitions` is 0.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not the released table; the message names the file and the fault.
    """
    value = read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get("table"), dict):
        raise ValueError(f"{path} is not the released latency table: it has no object `table`.")
    try:
        rows = {
            _parse_name(name): LatencyRow(latency_ms, latency_ms, latency_ms, repetitions=0)
            for name, latency_ms in value["table"].items()
        }
    except ValueError as error:
        raise ValueError(f"{path} is not the released latency table: {error}") from error
    return LatencyTable(rows, _METADATA)


def charged_as_released(table: LatencyTable) -> LatencyTable:
    """Returns `table` as the released code uses it: `conv_2x_downup` has the rows of `conv_2x`.

    Raises:
        KeyError: A row of `conv_2x` is missing in the table.
    """
    rows = {
        key: table[dataclasses.replace(key, operation="conv_2x")]
        if key.operation == "conv_2x_downup"
        else row
        for key, row in table.items()
    }
    return LatencyTable(rows, table.metadata, table.calibration)


def _parse_name(name: str) -> OpKey:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} does not name an operation of the released code")
    fields = dict(_FIELD.findall(match["fields"]))
    operation = _OPERATIONS.get(match["operation"])
    if match["operation"] == "ConvNorm":
        operation = _CONVOLUTIONS.get(fields.get("kernel", ""))
    in_filters = fields.get("Cin", fields.get("C"))
    if operation is None or in_filters is None:
        raise ValueError(f"{name!r} does not name an operation of the released code")
    return OpKey(
        operation=operation,
        height=int(match["height"]),
        width=int(match["width"]),
        in_filters=int(in_filters),
        out_filters=int(fields.get("Cout", in_filters)),
        stride=int(fields.get("stride", "1")),
    )
