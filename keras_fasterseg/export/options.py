"""Options of an export, known without a runtime or TensorFlow."""

from keras_fasterseg.runtimes.artefact_format import (
    LITERT,
    ONNX,
    OPENVINO,
    SAVED_MODEL,
    TENSORRT,
    TENSORRT_RTX,
)
from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS

OUTPUTS = {CLASS_IDS: (CLASS_IDS,), LOGITS: (LOGITS,), "both": (CLASS_IDS, LOGITS)}
"""Names of outputs to ask for, and the outputs that the graph has then."""

PRECISIONS = {
    ONNX: ("fp32", "fp16", "int8"),
    OPENVINO: ("fp32", "fp16", "int8"),
    LITERT: ("fp32", "fp16", "int8"),
}
"""By format, in what a graph can compute."""

PRECISION_NAMES = {"fp16": "float16", "int8": "int8"}
"""Names in a manifest of the precisions that are not the model's own."""

FREE_BATCH = (SAVED_MODEL, ONNX, OPENVINO)
"""Formats that can take every number of images a call."""

ENGINE_FORMATS = (TENSORRT, TENSORRT_RTX)

METHODS = ("percentile", "entropy", "minmax")
"""Methods that find the range of an activation from its values on calibration images."""
