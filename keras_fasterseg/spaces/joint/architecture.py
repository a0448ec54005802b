"""Architecture parameters of the joint space, and the choices that are still valid."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.losses.solution_space_regularization import normalized_sigmoid
from keras_fasterseg.spaces.joint.choices import Choices, operations
from keras_fasterseg.spaces.joint.settings import JointSettings

EARLY_DEPTH, LATE_DEPTH = "early_depth", "late_depth"
NAMES = (EARLY_DEPTH, LATE_DEPTH, "operation", "middle", "last")

Masks = Mapping[str, np.ndarray]
"""Boolean masks of the valid choices by name, in the shapes of `group_shapes`."""


def group_shapes(settings: JointSettings) -> dict[str, tuple[int, ...]]:
    """Shapes of the architecture parameters by name; the last axis is a group."""
    blocks = settings.early_blocks + settings.late_blocks
    count, widths = len(operations(settings)), settings.filter_choices
    return {
        EARLY_DEPTH: (settings.early_blocks,),
        LATE_DEPTH: (settings.late_blocks,),
        "operation": (blocks, count),
        "middle": (blocks, count, widths),
        "last": (blocks, count, widths),
    }


class JointArchitecture(keras.layers.Layer):
    """Depth, operations and widths as independent groups of sigmoid-normalised logits.

    All logits start at 0. A mask per group says which choices are still valid; `shrink` removes
    unlikely ones. Checkpoints store the masks.

    Args:
        settings: Settings of the space.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271). The search of the depth and its
        place in the order of shrinking are in a figure only; the shared prefix of the chains is
        our choice.
    """

    def __init__(self, settings: JointSettings, **kwargs):
        super().__init__(**kwargs)
        self.settings = settings
        self.logits, self.valid = {}, {}
        for name, shape in group_shapes(settings).items():
            self.logits[name] = self.add_weight(
                name=name, shape=shape, initializer="zeros", autocast=False
            )
            self.valid[name] = self.add_weight(
                name=f"{name}_valid", shape=shape, dtype="bool", initializer="ones", trainable=False
            )
        if not settings.choose_depth:
            for name in (EARLY_DEPTH, LATE_DEPTH):
                only_last = np.arange(self.valid[name].shape[0]) + 1 == self.valid[name].shape[0]
                self.valid[name].assign(only_last)
        self.built = True

    def probabilities(self) -> Choices:
        """Probabilities of all choices; those of invalid choices are 0."""
        found = {
            name: normalized_sigmoid(
                ops.convert_to_tensor(self.logits[name]), ops.convert_to_tensor(self.valid[name])
            )
            for name in NAMES
        }
        depth = (found.pop(EARLY_DEPTH), found.pop(LATE_DEPTH))
        return {"depth": depth, **found}

    def masks(self) -> dict[str, np.ndarray]:
        """Copies of the masks of the valid choices."""
        return {name: np.array(mask) for name, mask in self.valid.items()}

    def shrink(self) -> None:
        """Removes choices at or below `shrinking_ratio` times the likeliest of their group."""
        choices = keras.tree.map_structure(ops.convert_to_numpy, self.probabilities())
        early, late = choices.pop("depth")
        probabilities = {EARLY_DEPTH: early, LATE_DEPTH: late, **choices}
        masks = shrunk(self.masks(), probabilities, self.settings)
        for name, mask in masks.items():
            self.valid[name].assign(mask)


def shrunk(
    valid: Masks, probabilities: Mapping[str, np.ndarray], settings: JointSettings
) -> dict[str, np.ndarray]:
    """Masks after one step of hierarchical progressive shrinking.

    The order is depth, operations, last, middle. A removed operation collapses its groups of
    widths to their likeliest choice. A block behind the largest remaining depth collapses all its
    groups likewise. The likeliest choice of a group always survives.

    Args:
        valid: Masks before the step.
        probabilities: Probabilities by name, in the shapes of the masks; 0 for invalid choices.
        settings: Settings of the space.
    """
    masks = {name: np.array(mask) for name, mask in valid.items()}

    def remove(name: str) -> None:
        values = probabilities[name]
        largest = values.max(axis=-1, keepdims=True)
        masks[name] &= values > settings.shrinking_ratio * largest

    def collapse(name: str, groups: np.ndarray) -> None:
        best = probabilities[name].argmax(axis=-1)
        single = np.arange(masks[name].shape[-1]) == best[..., None]
        masks[name] &= single | ~groups[..., None]

    remove(EARLY_DEPTH)
    remove(LATE_DEPTH)
    unused = ~used_blocks(masks)
    collapse("operation", unused)
    remove("operation")
    dropped = ~masks["operation"]
    for name in ("last", "middle"):
        collapse(name, dropped | unused[:, None])
        remove(name)
    return masks


def used_blocks(valid: Masks) -> np.ndarray:
    """Boolean mask of the blocks that a remaining depth uses, early blocks first."""
    depths = [np.flatnonzero(valid[name]).max() for name in (EARLY_DEPTH, LATE_DEPTH)]
    return np.concatenate(
        [
            np.arange(len(valid[name])) <= depth
            for name, depth in zip((EARLY_DEPTH, LATE_DEPTH), depths, strict=True)
        ]
    )


def choices_left(valid: Masks) -> dict[str, int]:
    """Number of valid choices of each family, in used blocks and valid operations only."""
    used = used_blocks(valid)
    operation = valid["operation"] & used[:, None]
    return {
        "depth": int(valid[EARLY_DEPTH].sum() + valid[LATE_DEPTH].sum()),
        "operation": int(operation.sum()),
        "middle": int(valid["middle"][operation].sum()),
        "last": int(valid["last"][operation].sum()),
    }


def log10_networks(valid: Masks) -> float:
    """Decimal logarithm of the number of networks left: of depths, operations and widths."""
    widths = valid["middle"].sum(axis=-1) * valid["last"].sum(axis=-1)
    blocks = (valid["operation"] * widths).sum(axis=-1)
    early = len(valid[EARLY_DEPTH])
    total = 0.0
    for name, counts in ((EARLY_DEPTH, blocks[:early]), (LATE_DEPTH, blocks[early:])):
        chains = np.cumsum(np.log10(counts))[valid[name]]
        # Sums of powers of ten beyond the range of floats.
        total += chains.max() + math.log10(float(np.sum(10.0 ** (chains - chains.max()))))
    return total


def is_decided(valid: Masks) -> bool:
    """True if one network is left."""
    return all(count == 1 for mask in valid.values() for count in np.ravel(mask.sum(axis=-1)))


def fixed_choices(settings: JointSettings, picked: Mapping[str, np.ndarray]) -> Choices:
    """One-hot choices.

    Args:
        settings: Settings of the space.
        picked: By name, the index of the chosen entry of every group.
    """
    shapes = group_shapes(settings)

    def one_hot(name: str) -> Any:
        return ops.one_hot(np.asarray(picked[name], "int32"), shapes[name][-1], dtype="float32")

    depth = (one_hot(EARLY_DEPTH), one_hot(LATE_DEPTH))
    return {"depth": depth} | {name: one_hot(name) for name in ("operation", "middle", "last")}
