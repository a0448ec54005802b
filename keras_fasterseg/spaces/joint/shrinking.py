"""Callback that shrinks the joint space after every epoch of a search."""

import keras
from absl import logging

from keras_fasterseg.spaces.joint.architecture import (
    JointArchitecture,
    choices_left,
    is_decided,
    log10_networks,
)


class ProgressiveShrinking(keras.callbacks.Callback):
    """Removes unlikely choices after every epoch and logs the number left.

    It only changes the masks of the architecture, which checkpoints store, and has no other state.
    Once every group has one choice, the logits change nothing more and the weights train on.

    Args:
        architecture: The architecture to shrink.

    Reference:
        Hierarchical progressive shrinking in Ye et al., IJCV 2022
        (https://arxiv.org/abs/2208.05271).
    """

    def __init__(self, architecture: JointArchitecture):
        super().__init__()
        self.architecture = architecture

    def on_epoch_end(self, epoch, logs=None):
        self.architecture.shrink()
        masks = self.architecture.masks()
        left, networks = choices_left(masks), log10_networks(masks)
        logging.info(
            "Epoch %d: choices left %s, 10^%.1f networks%s",
            epoch + 1,
            left,
            networks,
            "; the architecture is decided" if is_decided(masks) else "",
        )
        if logs is not None:
            logs |= {f"choices_left_{family}": float(count) for family, count in left.items()}
            logs["log10_networks_left"] = networks
