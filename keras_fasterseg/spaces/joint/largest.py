"""The widest and deepest choices of the joint space."""

import numpy as np

from keras_fasterseg.spaces.joint.architecture import (
    EARLY_DEPTH,
    LATE_DEPTH,
    fixed_choices,
    group_shapes,
)
from keras_fasterseg.spaces.joint.choices import Choices
from keras_fasterseg.spaces.joint.settings import JointSettings


def largest_choices(settings: JointSettings) -> Choices:
    """One-hot choices of the widest network with all blocks.

    No block is pooled. Early blocks have the smallest dilation; late blocks repeat all dilations
    in turn (not specified in the paper; our choice: dilation changes no cost).
    """
    picked = {name: np.zeros(shape[:-1], "int32") for name, shape in group_shapes(settings).items()}
    picked[EARLY_DEPTH] += settings.early_blocks - 1
    picked[LATE_DEPTH] += settings.late_blocks - 1
    late = np.arange(settings.late_blocks) % len(settings.dilations)
    picked["operation"][settings.early_blocks :] = late
    return fixed_choices(settings, picked)
