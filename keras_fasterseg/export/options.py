"""Options of an export, importable without a runtime or TensorFlow."""

import dataclasses
from collections.abc import Sequence

import numpy as np

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
"""Choices of `outputs`, and the outputs that each gives the graph."""

PRECISIONS = {
    ONNX: ("fp32", "fp16", "int8"),
    OPENVINO: ("fp32", "fp16", "int8"),
    LITERT: ("fp32", "fp16", "int8"),
}
"""Precisions that each format supports."""

PRECISION_NAMES = {"fp16": "float16", "int8": "int8"}
"""Manifest names of the precisions other than the model's own."""

FREE_BATCH = (SAVED_MODEL, ONNX, OPENVINO)
"""Formats that can leave the number of images per call free."""

ENGINE_FORMATS = (TENSORRT, TENSORRT_RTX)

METHODS = ("percentile", "entropy", "minmax")
"""Methods that find the range of an activation from its values on calibration images."""


@dataclasses.dataclass(frozen=True)
class CalibrationImages:
    """Images and options for calibrating an int8 graph.

    Attributes:
        images: Real images, uint8 `(batch, height, width, 3)`, in the graph's input shape.
        method: Method that finds activation ranges, one of `METHODS`.
        progress: Whether to show progress bars.
        symmetric: Whether activations are int8 around zero, as TensorRT requires, or uint8.
    """

    images: Sequence[np.ndarray]
    method: str = "percentile"
    progress: bool = True
    symmetric: bool = False
