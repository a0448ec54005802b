"""Format and proof of an export."""

import dataclasses

from keras_fasterseg.export.options import ENGINE_FORMATS, METHODS, OUTPUTS, PRECISIONS
from keras_fasterseg.runtimes.artefact_format import SAVED_MODEL
from keras_fasterseg.setting import AT_LEAST_ONE, AT_LEAST_ZERO, IMAGE_SIZE, Limits, Size, setting

TFTRT = "tftrt"
"""A SavedModel that TF-TRT has converted."""

FORMATS = (SAVED_MODEL, TFTRT, *PRECISIONS, *ENGINE_FORMATS)


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Format and proof of an export."""

    format: str = setting(
        SAVED_MODEL,
        f"What to write: {', '.join(FORMATS)}.",
        limits=Limits(choices=FORMATS),
    )
    precision: str = setting(
        "fp32",
        "What it computes in: fp32, fp16 or int8.",
        limits=Limits(choices=("fp32", "fp16", "int8")),
    )
    input_size: Size | None = setting(
        None,
        "Height x width of the images; unset: every size, which saved_model, onnx and openvino can "
        "take.",
        limits=IMAGE_SIZE,
    )
    batch_size: int = setting(
        1,
        "Images a call. 0: every number, which onnx and openvino can take and a saved_model always "
        "takes.",
        limits=AT_LEAST_ZERO,
    )
    output: str | None = setting(
        None,
        "What the graph returns: class_ids, logits or both; unset: class_ids. A saved_model always "
        "has both.",
        limits=Limits(choices=tuple(OUTPUTS)),
    )
    calibration_images: int = setting(
        32, "Training images that int8 is calibrated on.", limits=AT_LEAST_ONE
    )
    calibration_method: str = setting(
        "percentile",
        f"How int8 finds the ranges of activations: {', '.join(METHODS)}; LiteRT: always minmax.",
        limits=Limits(choices=METHODS),
    )
    proof_images: int = setting(
        8,
        "Images on which the export is compared with the Keras model: of the validation split, or "
        "drawn ones without a data set. 0: none.",
        limits=AT_LEAST_ZERO,
    )
    allow_accuracy_drop: bool = setting(
        False, "Write an int8 export even if its mIoU is more than a point lower."
    )
