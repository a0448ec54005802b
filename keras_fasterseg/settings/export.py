"""Format and proof of an export."""

import dataclasses

from keras_fasterseg.export.options import ENGINE_FORMATS, METHODS, OUTPUTS, PRECISIONS
from keras_fasterseg.runtimes.artefact_format import SAVED_MODEL
from keras_fasterseg.setting import AT_LEAST_ONE, AT_LEAST_ZERO, IMAGE_SIZE, Limits, Size, setting

TFTRT = "tftrt"
"""A SavedModel converted by TF-TRT."""

FORMATS = (SAVED_MODEL, TFTRT, *PRECISIONS, *ENGINE_FORMATS)


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Format and proof of an export."""

    format: str = setting(
        SAVED_MODEL,
        f"Format to write: {', '.join(FORMATS)}.",
        limits=Limits(choices=FORMATS),
    )
    precision: str = setting(
        "fp32",
        "Arithmetic of the export: fp32, fp16 or int8.",
        limits=Limits(choices=("fp32", "fp16", "int8")),
    )
    input_size: Size | None = setting(
        None,
        "Height x width of the images. Default: any size, for saved_model, onnx and openvino only.",
        limits=IMAGE_SIZE,
    )
    batch_size: int = setting(
        1,
        "Images per call. 0: any number, for onnx and openvino; a saved_model always accepts any "
        "number.",
        limits=AT_LEAST_ZERO,
    )
    output: str | None = setting(
        None,
        "Output of the graph: class_ids, logits or both. Default: class_ids; a saved_model always "
        "has both.",
        limits=Limits(choices=tuple(OUTPUTS)),
    )
    calibration_images: int = setting(
        32, "Number of training images for the calibration of int8.", limits=AT_LEAST_ONE
    )
    calibration_method: str = setting(
        "percentile",
        f"Method that finds the ranges of activations for int8: {', '.join(METHODS)}. LiteRT "
        "always uses minmax.",
        limits=Limits(choices=METHODS),
    )
    proof_images: int = setting(
        8,
        "Number of images on which the export is compared with the Keras model: from the "
        "validation split, or generated scenes without a data set. 0: no comparison.",
        limits=AT_LEAST_ZERO,
    )
    allow_accuracy_drop: bool = setting(
        False, "Write an int8 export even if it loses more than one percentage point of mIoU."
    )
