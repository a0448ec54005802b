"""Rows of latency tables of the operations of cells."""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.cell_operations import SKIP, ZERO
from keras_fasterseg.spaces.cells.operations import PREFIX
from keras_fasterseg.spaces.stage import Stage

Size = tuple[int, int]

STEM_SCALE = 2
"""Scale of the stem's output: image size over feature size."""

STEM_STRIDES = (2, 1, 1)

AUXILIARY = "auxiliary"
"""Name of the stage that only runs in training."""


def operation_key(
    name: str, scale: int, filters: int, size: Size, strides: int = 1
) -> OpKey | None:
    """Operation on an edge of a cell; None if it costs nothing.

    Args:
        name: Name of the operation; see `FUSION_OPERATIONS`.
        scale: Scale of its input: image size over feature size.
        filters: Its channels.
        size: Height and width of the images.
        strides: Its stride.
    """
    if name == SKIP and strides == 2:
        return scaled_key("cell_reduction", scale, filters, filters, size, 2)
    if name in (ZERO, SKIP):
        return None
    return scaled_key(PREFIX + name, scale, filters, filters, size, strides)


def scaled_key(
    operation: str, scale: int, inputs: int, filters: int, size: Size, stride: int = 1
) -> OpKey:
    """Row of an operation whose input has a scale of `scale` and `inputs` channels."""
    height, width = (side // scale for side in size)
    return OpKey(operation, height, width, inputs, filters, stride)


def stem_stages(filters: int, size: Size) -> list[Stage]:
    """The three convolutions before the cells."""
    return [Stage(f"stem_{index}", (key,)) for index, key in enumerate(stem_keys(filters, size))]


def stem_keys(filters: int, size: Size) -> list[OpKey]:
    """Rows of the three convolutions before the cells."""
    return [
        scaled_key("conv_bn_relu_3x3", scale, channels, filters, size, strides)
        for scale, channels, strides in zip(
            (1, STEM_SCALE, STEM_SCALE), (3, filters, filters), STEM_STRIDES, strict=True
        )
    ]
