"""Pads images to a multiple of the network's stride, and crops outputs to the original size."""

from typing import Any

from keras import ops

SIZE_MULTIPLE = 32


def pad_to_multiple(images: Any, multiple: int = SIZE_MULTIPLE) -> Any:
    """Appends zeros below and to the right until height and width are multiples of `multiple`.

    Zero is the mean colour of a normalised image; training also uses it where a crop extends beyond
    the image. Pixels keep their positions, so `crop_to_size` is the inverse.

    Args:
        images: Tensor of shape `(batch, height, width, channels)`; sizes may be unknown while a
            graph is traced. Images are returned unchanged if they need no padding.
        multiple: Stride of the coarsest feature map of the network.

    Returns:
        Tensor of shape `(batch, ceil(height / multiple) * multiple,
        ceil(width / multiple) * multiple, channels)`.

    Raises:
        ValueError: `multiple` is not positive.
    """
    if multiple < 1:
        raise ValueError(f"`multiple` must be at least 1. Received: multiple={multiple}")
    shape: Any = ops.shape(images)
    height, width = shape[1:3]
    # Only positive operands: runtimes disagree about the remainder of a negative number.
    bottom, right = ((multiple - side % multiple) % multiple for side in (height, width))
    if isinstance(bottom, int) and isinstance(right, int) and bottom == right == 0:
        return images
    return ops.pad(images, ((0, 0), (0, bottom), (0, right), (0, 0)))


def crop_to_size(maps: Any, height: Any, width: Any) -> Any:
    """Removes the padding of `pad_to_multiple`.

    Args:
        maps: Tensor of shape `(batch, padded_height, padded_width, ...)`.
        height: Height before padding, an int or a scalar integer tensor.
        width: Width before padding, an int or a scalar integer tensor.

    Returns:
        Tensor of shape `(batch, height, width, ...)`.
    """
    return maps[:, :height, :width]
