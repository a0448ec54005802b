"""Default colours for classes without colours."""

import numpy as np

_BITS = 8


def default_palette() -> np.ndarray:
    """256 different colours, `(256, 3)` uint8; consecutive colours differ clearly.

    Reference:
        The colour map of PASCAL VOC: the bits of a class id, three at a time, are the highest bits
        of red, green and blue.
    """
    class_ids = np.arange(256)
    colors = np.zeros((256, 3), np.int64)
    for place in range(_BITS):
        bits = class_ids >> 3 * place
        for channel in range(3):
            colors[:, channel] |= ((bits >> channel) & 1) << (_BITS - 1 - place)
    return colors.astype(np.uint8)
