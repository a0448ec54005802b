"""Metadata of an ONNX file: the names of its free sizes, and its manifest."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.optional_import import optional_import

if TYPE_CHECKING:
    import onnx

SIZES = ("batch", "height", "width")
"""Names of free sizes, in the axis order of images and outputs."""


def described(model: "onnx.ModelProto", facts: Mapping[str, Any]) -> "onnx.ModelProto":
    """The model with its manifest inside and one name for each free size.

    Converters name every free size of every output separately. A server that compares shapes then
    treats the batch of an output as unrelated to that of the input. Here the outputs share the
    batch, height and width of the images, as numbers or by the names in `SIZES`.

    Args:
        model: A model with one input, images `(batch, height, width, 3)`, and outputs
            `(batch, height, width)` or `(batch, height, width, classes)`; it is not changed.
        facts: The manifest. Each item is an entry of `metadata_props`, its value as JSON.

    Raises:
        RuntimeNotInstalledError: onnx is not installed.
    """
    onnx = optional_import("onnx", "onnx", "Writing an ONNX file")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    (images,) = copy.graph.input
    sizes = images.type.tensor_type.shape.dim[: len(SIZES)]
    for name, size in zip(SIZES, sizes, strict=True):
        if not size.HasField("dim_value"):
            size.dim_param = name
    for output in copy.graph.output:
        for own, size in zip(output.type.tensor_type.shape.dim, sizes, strict=False):
            own.CopyFrom(size)
    images.doc_string = "RGB images, uint8 from 0 to 255, not normalised"
    del copy.metadata_props[:]
    onnx.helper.set_model_props(copy, {name: json.dumps(value) for name, value in facts.items()})
    return copy
