"""Rows of latency tables of the operations of cells."""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.cell_operations import SKIP, ZERO
from keras_fasterseg.spaces.cells.operations import PREFIX

Size = tuple[int, int]


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
